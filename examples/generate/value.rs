//! The values that templates name: what `<instance>` or `<now>` stands for.
//!
//! Four sorts of value: *pooled* ones are drawn from a limited number of
//! resources, so that the same instance turns up again and again; *once* are
//! drawn per event, which names them the same way twice; *mine* belong to the
//! caller; *fresh* ones never come again, not even within an event.

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::Offset;

use crate::caller::Caller;
use crate::form::{Form, push_number};
use crate::random::{Random, mix, scale, skew};
use crate::words;
use crate::world::World;

/// What a name in a template stands for.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Kind {
    /// One of so many resources of this account and region.
    Pooled(Form, usize),
    /// One in each event, and seldom the same in two.
    Once(Form),
    /// Something of the caller's.
    Mine(Form),
    /// Never the same again.
    Fresh(Form),
    /// The account.
    Account,
    /// Another account.
    OtherAccount,
    /// The region.
    Region,
    /// An availability zone of the region.
    Zone,
    /// The event's time as in `eventTime`.
    Now,
    /// The event's time as the AWS console writes it.
    Spelled,
    /// The event's time in milliseconds since 1970.
    Millis,
    /// The day of the event.
    Day,
    /// When the caller's session began.
    Start,
    /// The id of the request, as a UUID.
    Request,
    /// The ARN of the caller.
    Arn,
    /// The service's host name in the region.
    RegionalHost,
    /// The event source.
    Source,
    /// The service and the name of the event, as in IAM policies.
    Action,
    /// The name of the event.
    Event,
}

use Form::{
    Base64, Base64Url, Capitals, Choice, Ec2, Hex, Ip6, Name, Number, ObjectKey, PrivateDns,
    PrivateIp, PublicIp, Uuid,
};
use Kind::{Fresh, Mine, Once, Pooled};

/// Every name a template may use. A part after a dot only makes names differ:
/// `linked` and `linked.role` are drawn with the same number.
#[rustfmt::skip]
const KINDS: &[(&str, Kind)] = &[
    ("account", Kind::Account), ("other-account", Kind::OtherAccount),
    ("region", Kind::Region), ("zone", Kind::Zone),
    ("now", Kind::Now), ("spelled", Kind::Spelled), ("millis", Kind::Millis),
    ("day", Kind::Day), ("start", Kind::Start), ("request", Kind::Request),
    ("regional-host", Kind::RegionalHost), ("arn", Kind::Arn), ("source", Kind::Source), ("action", Kind::Action), ("event", Kind::Event),

    ("instance", Pooled(Ec2("i-"), 600)), ("volume", Once(Ec2("vol-"))),
    ("snapshot", Once(Ec2("snap-"))), ("image", Pooled(Ec2("ami-"), 60)),
    ("subnet", Pooled(Ec2("subnet-"), 24)), ("vpc", Pooled(Ec2("vpc-"), 6)),
    ("group", Pooled(Ec2("sg-"), 120)), ("interface", Once(Ec2("eni-"))),
    ("route-table", Pooled(Ec2("rtb-"), 30)), ("endpoint", Pooled(Ec2("vpce-"), 12)),
    ("launch-template", Pooled(Ec2("lt-"), 40)),
    ("instance-type", Once(Choice(words::INSTANCE_TYPES))),
    ("bucket", Pooled(Name(&["data", "assets", "logs", "artifacts", "backup"]), 80)),
    ("key", Once(ObjectKey)),
    ("role", Pooled(Name(&["role", "task-role", "deploy", "reader"]), 150)),
    ("role-id", Pooled(Capitals("AROA", 17), 150)),
    ("user", Pooled(Choice(words::PEOPLE), 60)), ("user-id", Pooled(Capitals("AIDA", 17), 60)),
    ("function", Pooled(Name(&["handler", "resize", "sync", "webhook", "etl"]), 200)),
    ("table", Pooled(Name(&["sessions", "items", "locks", "events"]), 40)),
    ("queue", Pooled(Name(&["queue", "jobs", "dlq"]), 60)),
    ("topic", Pooled(Name(&["alerts", "changes", "fanout"]), 30)),
    ("secret", Pooled(Name(&["db-password", "api-key", "oauth-client"]), 90)),
    ("secret.end", Pooled(Base64Url(6), 90)), ("secret.version", Pooled(Uuid, 90)),
    ("parameter", Pooled(Name(&["config", "flags", "endpoint"]), 300)),
    ("master-key", Pooled(Uuid, 30)), ("cluster", Pooled(Name(&["cluster", "eks"]), 8)),
    ("service", Pooled(Name(&["api", "worker", "web", "cron"]), 60)),
    ("stack", Pooled(Name(&["stack", "service", "network"]), 50)), ("stack.id", Pooled(Uuid, 50)),
    ("database", Pooled(Name(&["pg", "mysql", "aurora"]), 20)),
    ("balancer", Pooled(Name(&["alb", "nlb"]), 20)), ("balancer.id", Pooled(Hex(16), 20)),
    ("scaling-group", Pooled(Name(&["asg", "nodes"]), 30)),
    ("log-group", Pooled(Name(&["handler", "api", "worker", "etl"]), 250)),
    ("alarm", Pooled(Name(&["cpu-high", "latency", "5xx", "lag"]), 120)),
    ("rule", Pooled(Name(&["s3-encrypted", "mfa-enabled", "open-ports", "tags"]), 60)),
    ("repository", Pooled(Name(&["api", "web", "base"]), 40)),
    ("tag-key", Once(Choice(words::TAG_KEYS))),
    ("text", Once(Choice(words::PHRASES))),
    ("principal", Pooled(Choice(words::PRINCIPALS), 500)),
    ("task", Once(Hex(32))),
    ("private-ip", Once(PrivateIp)), ("private-dns", Once(PrivateDns)),
    ("count", Once(Number(1, 100))), ("bytes", Once(Number(120, 9_000_000))),

    ("uuid", Fresh(Uuid)), ("hex16", Fresh(Hex(16))), ("hex32", Fresh(Hex(32))),
    ("digest", Fresh(Hex(64))), ("number", Fresh(Number(1000, 99_999_999))),
    ("small", Fresh(Number(0, 999))),
    ("base16", Fresh(Capitals("", 16))), ("base52", Fresh(Capitals("", 52))),
    ("session-key", Fresh(Capitals("ASIA", 16))),
    ("host-id", Fresh(Base64(75))), ("token", Fresh(Base64(140))), ("cookie", Fresh(Base64(64))),
    ("long-token", Fresh(Base64Url(1100))), ("public-ip", Fresh(PublicIp)),

    ("my-role", Mine(Name(&["role", "app", "task", "ci"]))),
    ("my-role-id", Mine(Capitals("AROA", 17))), ("my-instance", Mine(Ec2("i-"))),
    ("my-function", Mine(Name(&["handler", "resize", "sync", "etl"]))),
    ("my-name", Mine(Choice(words::PEOPLE))), ("my-user-id", Mine(Capitals("AIDA", 17))),
    ("my-key", Mine(Capitals("AKIA", 16))), ("my-session-key", Mine(Capitals("ASIA", 16))),
    ("my-private-ip", Mine(PrivateIp)), ("my-public-ip", Mine(PublicIp)), ("my-ip6", Mine(Ip6)),
    ("my-uuid", Mine(Uuid)), ("my-hex", Mine(Hex(16))), ("my-hex32", Mine(Hex(32))),
    ("my-number", Mine(Number(1_768_400_000, 1_768_499_999))),
    ("my-linked", Mine(Choice(words::LINKED))), ("my-linked.role", Mine(Choice(words::LINKED_ROLES))),
    ("my-linked.session", Mine(Choice(words::LINKED_SESSIONS))),
    ("my-sdk", Mine(Choice(words::SDK_AGENTS))), ("my-lambda", Mine(Choice(words::LAMBDA_AGENTS))),
    ("my-deploy", Mine(Choice(words::DEPLOY_AGENTS))), ("my-cli", Mine(Choice(words::CLI_AGENTS))),
    ("my-browser", Mine(Choice(words::PEOPLE_AGENTS))),
];

impl Kind {
    /// Returns what `name` stands for, or `None` if nothing is called so.
    pub(crate) fn find(name: &str) -> Option<Self> {
        KINDS.iter().find(|(known, _)| *known == name).map(|(_, kind)| *kind)
    }
}

/// One event's surroundings, from which its values come.
#[derive(Debug)]
pub(crate) struct Scene<'a> {
    /// Accounts, regions and seed.
    pub(crate) world: &'a World,
    /// Number of the account in the world.
    pub(crate) account: usize,
    /// Name of the region.
    pub(crate) region: &'static str,
    /// When the event happened, in seconds since 1970.
    pub(crate) time_secs: i64,
    /// Who does it.
    pub(crate) caller: &'a Caller,
    /// Which of the callers of this sort.
    pub(crate) caller_number: u64,
    /// The service's short name, as in IAM policies.
    pub(crate) service: &'static str,
    /// The event's name.
    pub(crate) event: &'static str,
    /// Chooses the resources, for some events on end.
    pub(crate) pick: u64,
    /// Chooses what is particular to this event.
    pub(crate) once: u64,
    /// Counts up inside a repetition, so that each round names other resources.
    pub(crate) lap: u64,
    /// Source of fresh values.
    pub(crate) random: Random,
}

impl Scene<'_> {
    /// Appends the value `kind`, made different from others of its kind by `salt`.
    pub(crate) fn write(&mut self, kind: Kind, salt: u64, offset: u64, out: &mut String) {
        match kind {
            Kind::Pooled(form, pool) => {
                let number = skew(mix(self.pick, salt), pool) as u64 + offset + self.lap;
                form.write(mix(self.place() ^ salt, number), out);
            }
            Kind::Once(form) => {
                form.write(mix(self.once ^ salt, offset + self.lap), out);
            }
            Kind::Mine(form) => form.write(mix(self.me() ^ salt, self.caller_number), out),
            Kind::Fresh(form) => form.write(self.random.draw(), out),
            Kind::Account => out.push_str(self.world.account(self.account)),
            Kind::OtherAccount => out.push_str(self.world.account(self.account + 1)),
            Kind::Region => out.push_str(self.region),
            Kind::Zone => {
                out.push_str(self.region);
                out.push_str(["a", "b", "c"][scale(mix(self.pick, salt), 3)]);
            }
            Kind::Now => push_time(self.time_secs, out),
            Kind::Spelled => push_spelled_time(self.time_secs, out),
            Kind::Millis => {
                push_whole(self.time_secs, out);
                push_padded(scale(self.once, 1000), 3, out);
            }
            Kind::Day => push_date(civil(self.time_secs), out),
            Kind::Start => push_time(self.session_start_secs(), out),
            Kind::Request => Form::Uuid.write(mix(self.once, salt), out),
            Kind::Arn => {
                let caller = self.caller;
                caller.arn.write(self, out);
            }
            Kind::Source => {
                out.push_str(self.service);
                out.push_str(".amazonaws.com");
            }
            Kind::RegionalHost => {
                out.push_str(self.service);
                out.push('.');
                out.push_str(self.region);
                out.push_str(".amazonaws.com");
            }
            Kind::Action => {
                out.push_str(self.service);
                out.push(':');
                out.push_str(self.event);
            }
            Kind::Event => out.push_str(self.event),
        }
    }

    /// Sessions live an hour at most, so the start changes from hour to hour.
    fn session_start_secs(&self) -> i64 {
        let into_hour = self.time_secs.rem_euclid(3600);
        let late = i64::try_from(scale(self.me() ^ self.caller_number, 3600)).unwrap_or(0);
        let start = self.time_secs - into_hour + late;
        if start > self.time_secs { start - 3600 } else { start }
    }

    fn place(&self) -> u64 {
        mix(self.world.seed, crate::random::hash(self.region) ^ self.account as u64)
    }

    fn me(&self) -> u64 {
        mix(self.world.seed ^ self.account as u64, self.caller.salt)
    }
}

/// Appends a time as CloudTrail writes it, `2026-01-15T09:05:00Z`.
pub(crate) fn push_time(secs: i64, out: &mut String) {
    let time = civil(secs);
    push_date(time, out);
    out.push('T');
    push_clock(time, ':', out);
    out.push('Z');
}

/// Returns seconds since 1970 as a date and time of day in UTC.
pub(crate) fn civil(secs: i64) -> DateTime {
    let time =
        Timestamp::from_second(secs).expect("event times lie within a year of the first day");
    Offset::UTC.to_datetime(time)
}

/// Appends a number with leading zeros.
pub(crate) fn push_padded(number: usize, digits: u32, out: &mut String) {
    for place in (1..digits).rev() {
        if number < 10_usize.pow(place) {
            out.push('0');
        }
    }
    push_number(number, out);
}

fn push_date(time: DateTime, out: &mut String) {
    push_whole(i64::from(time.year()), out);
    out.push('-');
    push_two(time.month(), out);
    out.push('-');
    push_two(time.day(), out);
}

fn push_clock(time: DateTime, separator: char, out: &mut String) {
    push_two(time.hour(), out);
    out.push(separator);
    push_two(time.minute(), out);
    out.push(separator);
    push_two(time.second(), out);
}

/// `Jan 15, 2026, 3:04:05 PM`, as responses of older services have it.
fn push_spelled_time(secs: i64, out: &mut String) {
    const MONTHS: [&str; 12] =
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let time = civil(secs);
    out.push_str(MONTHS[usize::try_from(time.month() - 1).unwrap_or(0)]);
    out.push(' ');
    push_whole(i64::from(time.day()), out);
    out.push_str(", ");
    push_whole(i64::from(time.year()), out);
    out.push_str(", ");
    push_whole(i64::from((time.hour() + 11) % 12 + 1), out);
    out.push(':');
    push_two(time.minute(), out);
    out.push(':');
    push_two(time.second(), out);
    out.push_str(if time.hour() < 12 { " AM" } else { " PM" });
}

fn push_two(number: i8, out: &mut String) {
    push_padded(usize::try_from(number).unwrap_or(0), 2, out);
}

fn push_whole(number: i64, out: &mut String) {
    push_number(usize::try_from(number).unwrap_or(0), out);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_spelled_as_in_log_files() {
        let mut out = String::new();
        push_time(1_768_467_905, &mut out);
        out.push(' ');
        push_spelled_time(1_768_489_505, &mut out);
        assert_eq!(out, "2026-01-15T09:05:05Z Jan 15, 2026, 3:05:05 PM");
    }

    #[test]
    fn no_two_values_have_the_same_name() {
        let mut names: Vec<_> = KINDS.iter().map(|(name, _)| name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), KINDS.len());
    }
}
