//! One record of a management or data file: the fields that all of them share.

use crate::bulk::{Bulk, bulks};
use crate::caller::{Caller, Tail, callers};
use crate::form::Form;
use crate::random::{Random, skew};
use crate::shape::{Category, Shape, shapes};
use crate::template::Template;
use crate::value::{Scene, push_time};
use crate::world::World;

/// Error messages are cut at this many characters, then `...` is added
/// (1,026 characters and more were seen in real files).
const MESSAGE_CHARS_MAX: usize = 1024;
/// One call in so many fails, of those that can: 6 to 8 % of all, as in life.
const FAILURE_ONE_IN: usize = 13;
/// One record in so many has parameters of 4 to 32 KB.
const LARGE_ONE_IN: usize = 2_500;
/// One record in so many has parameters of 50 to 100 KB.
const HUGE_ONE_IN: usize = 20_000;
/// A file holds events of this many seconds before its name's time.
const DELAY_SECS: std::ops::RangeInclusive<usize> = 20..=900;
/// One event in so many is delivered late, by up to [`LATE_SECS_MAX`].
const LATE_ONE_IN: usize = 250;
const LATE_SECS_MAX: usize = 26 * 3600;
/// One event in so many begins the work of another caller; until then it is the same one.
const NEW_CALLER_ONE_IN: usize = 16;
/// One event in so many turns to other resources.
const NEW_RESOURCES_ONE_IN: usize = 16;
/// One event in so many is the same call as the one before: paging, polling, retries.
const SAME_EVENT_ONE_IN: usize = 2;
/// How many people, roles or instances there are of each kind of caller, per account.
const CALLERS_PER_KIND: usize = 30;

/// Where and when a file's records happened.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Place<'a> {
    /// The tree's accounts.
    pub(crate) world: &'a World,
    /// Number of the account.
    pub(crate) account: usize,
    /// Name of the region.
    pub(crate) region: &'static str,
    /// The time in the file's name, in seconds since 1970.
    pub(crate) file_secs: i64,
}

/// The activity in a file: calls come in runs, by one caller on the same few resources.
///
/// Without it log files would compress five times, not eight.
#[derive(Debug)]
pub(crate) struct Focus {
    caller: usize,
    caller_number: u64,
    shape: usize,
    picks: [u64; 4],
}

impl Focus {
    /// Starts a file.
    pub(crate) fn new(catalogue: &Catalogue, random: &mut Random) -> Self {
        Self {
            caller: catalogue.anybody.draw(random),
            caller_number: draw_caller_number(random),
            shape: catalogue.mix.draw(random),
            picks: [random.draw(), random.draw(), random.draw(), random.draw()],
        }
    }

    /// Goes on to the next event.
    fn shift(&mut self, catalogue: &Catalogue, random: &mut Random) {
        if random.one_in(NEW_CALLER_ONE_IN) {
            self.caller = catalogue.anybody.draw(random);
            self.caller_number = draw_caller_number(random);
        }
        if !random.one_in(SAME_EVENT_ONE_IN) {
            self.shape = catalogue.mix.draw(random);
        }
        let other = random.below(self.picks.len());
        self.picks.swap(0, other);
        if random.one_in(NEW_RESOURCES_ONE_IN) {
            self.picks[0] = random.draw();
        }
    }
}

/// All events, callers and oversized parameters, compiled.
#[derive(Debug)]
pub(crate) struct Catalogue {
    callers: Vec<Caller>,
    anybody: Lottery,
    shapes: Vec<Shape>,
    mix: Lottery,
    bulks: Vec<Bulk>,
}

impl Catalogue {
    /// Compiles the tables.
    pub(crate) fn new() -> Self {
        let callers = callers();
        let shapes = shapes(&callers);
        let anybody = Lottery::new(callers.iter().map(|caller| caller.weight));
        let mix = Lottery::new(shapes.iter().map(|shape| shape.weight));
        Self { callers, anybody, shapes, mix, bulks: bulks() }
    }

    /// Appends one record and returns its time.
    pub(crate) fn write_record(
        &self,
        place: Place<'_>,
        focus: &mut Focus,
        random: &mut Random,
        out: &mut String,
    ) -> i64 {
        focus.shift(self, random);
        let mut scene = self.set_scene(place, focus, random);
        if let Some((bulk, bytes)) = self.draw_bulk(random) {
            (scene.service, scene.event) = (bulk.service, bulk.event);
            write_bulk(bulk, bytes, &mut scene, out);
        } else {
            let shape = &self.shapes[focus.shape];
            (scene.service, scene.event) = (shape.service, shape.event);
            if let Some(last) = shape.callers.len().checked_sub(1) {
                scene.caller = &self.callers[shape.callers[random.between(&(0..=last))]];
            }
            write_shape(shape, &mut scene, out);
        }
        scene.time_secs
    }

    /// Sets the scene for one event.
    pub(crate) fn set_scene<'a>(
        &'a self,
        place: Place<'a>,
        focus: &Focus,
        random: &mut Random,
    ) -> Scene<'a> {
        let delay = if random.one_in(LATE_ONE_IN) {
            random.below(LATE_SECS_MAX)
        } else {
            random.between(&DELAY_SECS)
        };
        Scene {
            world: place.world,
            account: place.account,
            region: place.region,
            time_secs: place.file_secs - i64::try_from(delay).unwrap_or(0),
            caller: &self.callers[focus.caller],
            caller_number: focus.caller_number,
            service: "",
            event: "",
            pick: focus.picks[0],
            once: random.draw(),
            lap: 0,
            random: Random::new(random.draw(), 0),
        }
    }

    fn draw_bulk(&self, random: &mut Random) -> Option<(&Bulk, usize)> {
        let bytes = if random.one_in(HUGE_ONE_IN) {
            random.between(&(50_000..=100_000))
        } else if random.one_in(LARGE_ONE_IN) {
            1 << random.between(&(12..=14)) | random.below(1 << 14)
        } else {
            return None;
        };
        Some((&self.bulks[random.below(self.bulks.len())], bytes))
    }
}

fn draw_caller_number(random: &mut Random) -> u64 {
    skew(random.draw(), CALLERS_PER_KIND) as u64
}

fn write_bulk(bulk: &Bulk, bytes: usize, scene: &mut Scene<'_>, out: &mut String) {
    write_head(scene, "1.10", out);
    out.push_str(",\"requestParameters\":");
    bulk.write_params(bytes, scene, out);
    out.push_str(",\"responseElements\":null,\"requestID\":\"");
    Form::Uuid.write(scene.once, out);
    out.push_str("\",\"eventID\":\"");
    Form::Uuid.write(scene.random.draw(), out);
    out.push_str("\",\"readOnly\":false,\"eventType\":\"AwsApiCall\",\"managementEvent\":true");
    write_tail(scene, &bulk.host, "Management", out);
}

fn write_shape(shape: &Shape, scene: &mut Scene<'_>, out: &mut String) {
    write_head(scene, shape.version, out);
    let mut failure = None;
    if !shape.failures.is_empty() && scene.random.one_in(FAILURE_ONE_IN) {
        failure = Some(&shape.failures[scene.random.below(shape.failures.len())]);
    }
    if let Some((code, message)) = failure {
        write_failure(code, message, scene, out);
    }
    out.push_str(",\"requestParameters\":");
    // Refused calls often show no parameters.
    if failure.is_some_and(|(code, _)| code.starts_with("Access")) && scene.random.one_in(2) {
        out.push_str("null");
    } else {
        shape.params.write(scene, out);
    }
    out.push_str(",\"responseElements\":");
    if failure.is_some() {
        out.push_str("null");
    } else {
        shape.response.write(scene, out);
    }
    if failure.is_none() || shape.category == Category::Data {
        write_member("additionalEventData", &shape.additional, scene, out);
    }
    write_string("requestID", &shape.request_id, scene, out);
    out.push_str(",\"eventID\":\"");
    Form::Uuid.write(scene.random.draw(), out);
    out.push_str(if shape.read_only { "\",\"readOnly\":true" } else { "\",\"readOnly\":false" });
    write_member("resources", &shape.resources, scene, out);
    let (event_type, management, category) = match shape.category {
        Category::Management => ("AwsApiCall", "true", "Management"),
        Category::Data => ("AwsApiCall", "false", "Data"),
        Category::Service => ("AwsServiceEvent", "true", "Management"),
        Category::SignIn => ("AwsConsoleSignIn", "true", "Management"),
    };
    out.push_str(",\"eventType\":\"");
    out.push_str(event_type);
    if !shape.api_version.is_empty() {
        out.push_str("\",\"apiVersion\":\"");
        out.push_str(shape.api_version);
    }
    out.push_str("\",\"managementEvent\":");
    out.push_str(management);
    if shape.category == Category::Service {
        write_member("serviceEventDetails", &shape.details, scene, out);
    }
    if shape.category == Category::Data
        && scene.caller.name == "instance"
        && scene.pick.is_multiple_of(3)
    {
        out.push_str(",\"vpcEndpointId\":\"");
        Form::Ec2("vpce-").write(scene.pick % 8, out);
        out.push_str("\",\"vpcEndpointAccountId\":\"");
        out.push_str(scene.world.account(scene.account));
        out.push('"');
    }
    write_tail(scene, &shape.host, category, out);
}

/// Writes from the opening brace to `userAgent`.
fn write_head(scene: &mut Scene<'_>, version: &str, out: &mut String) {
    let caller = scene.caller;
    out.push_str("{\"eventVersion\":\"");
    out.push_str(version);
    out.push_str("\",\"userIdentity\":");
    caller.identity.write(scene, out);
    out.push_str(",\"eventTime\":\"");
    push_time(scene.time_secs, out);
    out.push_str("\",\"eventSource\":\"");
    out.push_str(scene.service);
    out.push_str(".amazonaws.com\",\"eventName\":\"");
    out.push_str(scene.event);
    out.push_str("\",\"awsRegion\":\"");
    out.push_str(scene.region);
    out.push_str("\",\"sourceIPAddress\":\"");
    caller.address.write(scene, out);
    out.push('"');
    if !caller.agent.is_empty() {
        out.push_str(",\"userAgent\":\"");
        let start = out.len();
        caller.agent.write(scene, out);
        // S3 puts its clients' agents into brackets.
        if scene.service == "s3" && caller.tail != Tail::Bare && !out[start..].starts_with('[') {
            out.insert(start, '[');
            out.push(']');
        }
        out.push('"');
    }
}

fn write_failure(code: &str, message: &Template, scene: &mut Scene<'_>, out: &mut String) {
    out.push_str(",\"errorCode\":\"");
    out.push_str(code);
    out.push('"');
    if message.is_empty() {
        return;
    }
    out.push_str(",\"errorMessage\":\"");
    let start = out.len();
    message.write(scene, out);
    if out.len() - start > MESSAGE_CHARS_MAX {
        // Only the messages with an encoded part are so long, and they are ASCII without escapes.
        out.truncate(start + MESSAGE_CHARS_MAX);
        out.push_str("...");
    }
    out.push('"');
}

fn write_tail(scene: &mut Scene<'_>, host: &Template, category: &str, out: &mut String) {
    out.push_str(",\"recipientAccountId\":\"");
    out.push_str(scene.world.account(scene.account));
    if scene.caller.name == "other-account" || scene.caller.name == "principal" {
        out.push_str("\",\"sharedEventID\":\"");
        Form::Uuid.write(scene.random.draw(), out);
    }
    out.push_str("\",\"eventCategory\":\"");
    out.push_str(category);
    out.push('"');
    let from_console = scene.caller.tail == Tail::Console;
    if scene.caller.tail != Tail::Bare && !scene.random.one_in(6) {
        let (version, suite) = if scene.caller_number.is_multiple_of(4) {
            ("TLSv1.2", "ECDHE-RSA-AES128-GCM-SHA256")
        } else {
            ("TLSv1.3", "TLS_AES_128_GCM_SHA256")
        };
        out.push_str(",\"tlsDetails\":{\"tlsVersion\":\"");
        out.push_str(version);
        out.push_str("\",\"cipherSuite\":\"");
        out.push_str(suite);
        out.push_str("\",\"clientProvidedHostHeader\":\"");
        host.write(scene, out);
        out.push_str("\"}");
    }
    if from_console {
        out.push_str(",\"sessionCredentialFromConsole\":\"true\"");
    }
    if scene.random.one_in(3_000) {
        out.push_str(",\"addendum\":{\"reason\":\"DELIVERY_DELAY\",\"updatedFields\":\"\",\"originalRequestID\":\"\",\"originalEventID\":\"");
        Form::Uuid.write(scene.random.draw(), out);
        out.push_str("\"}");
    }
    out.push('}');
}

/// Writes `,"name":…` unless the template is empty.
fn write_member(name: &str, value: &Template, scene: &mut Scene<'_>, out: &mut String) {
    if !value.is_empty() {
        out.push_str(",\"");
        out.push_str(name);
        out.push_str("\":");
        value.write(scene, out);
    }
}

/// Writes `,"name":"…"` unless the template is empty.
fn write_string(name: &str, value: &Template, scene: &mut Scene<'_>, out: &mut String) {
    if !value.is_empty() {
        out.push_str(",\"");
        out.push_str(name);
        out.push_str("\":\"");
        value.write(scene, out);
        out.push('"');
    }
}

/// Draws numbers by weight, in one step.
#[derive(Debug)]
pub(crate) struct Lottery(Vec<usize>);

impl Lottery {
    /// Tickets in the drum: enough that the rarest event (weight 1 of about 15,000) has one.
    const TICKETS: usize = 1 << 15;

    fn new(weights: impl Iterator<Item = usize>) -> Self {
        let weights: Vec<usize> = weights.collect();
        let total: usize = weights.iter().sum();
        let mut tickets = Vec::with_capacity(Self::TICKETS);
        let mut sum = 0;
        for (number, weight) in weights.into_iter().enumerate() {
            sum += weight;
            tickets.resize(sum * Self::TICKETS / total, number);
        }
        Self(tickets)
    }

    fn draw(&self, random: &mut Random) -> usize {
        self.0[random.below(self.0.len())]
    }
}
