//! The command `report`: the page is the same on every database, names that attackers choose do no harm
//! in it, and a real browser shows it without a request or a message.

use std::collections::BTreeSet;
use std::path::Path;

use cloudtrail2sql::answers::{Activity, Callers, Filters, hour_start, question};
use cloudtrail2sql::database::answer::{AnswerCell, RowSink, Rows};
use cloudtrail2sql::database::url::DatabaseUrl;
use cloudtrail2sql::trail::time::EventTime;
use regex_lite::Regex;

use crate::answers::{SAMPLE, imported};
use crate::binary::Place;
use crate::browser::Browser;
use crate::databases::{Engine, OwnDatabase, promises};
use crate::docs::blesses;
use crate::logs::{record, record_with, wrapper};
use crate::sinks::scratch::open;

promises! { on servers:
    the_page_is_the_one_that_sqlite_gives
}

promises! { on all:
    names_do_no_harm_on_the_page
    without_events_there_is_a_page
    the_page_is_written_whole_or_not_at_all
    what_is_new_is_new_in_all_events
}

promises! { async on all:
    tables_that_are_summed_up_here_are_the_answers_of_their_questions
}

/// Names that would do harm if they were not escaped.
const NAMES: [&str; 9] = [
    "<script>alert(1)</script>",
    "\"><img src=x onerror=alert(1)>",
    "' onmouseover='alert(1)",
    "javascript:alert(1)",
    "</style></title><base href=//evil.example>",
    "<!--",
    "&lt;b&gt;{{1}}",
    "\u{202e}evil\u{2066}\u{200b}",
    "\u{1b}[2J\u{9b}0m\u{7}\r\n",
];

/// The lengths of the windows that the pictures are of.
const WIDTHS: [u32; 2] = [400, 1280];

/// The width and the height of the picture in README.md.
const PICTURE: (u32, u32) = (1280, 1216);

/// Runs the command; returns the page.
fn page(place: &Place, args: &[&str]) -> String {
    let out = "report.html";
    let run = place.run(&[&["--quiet", "report", "--out", out], args].concat()).expect(0);
    assert_eq!((run.stdout.as_str(), run.stderr.as_str()), ("", ""));
    std::fs::read_to_string(place.path(out)).unwrap()
}

/// Returns a page without what differs between two imports.
fn comparable(page: &str, place: &Place) -> String {
    let changing = Regex::new(
        r"<dt>(Database|Created)</dt><dd>.*?</dd>|Last import: <time.*?</time>|<bdi>[^<]*trail.db",
    );
    let folder = place.path("").display().to_string();
    // Names may be broken after each separator.
    let page = page.replace("<wbr>", "");
    changing.unwrap().replace_all(&page, "").replace(folder.trim_end_matches('/'), "")
}

fn the_page_is_the_one_that_sqlite_gives(engine: Engine) {
    let (database, reference) = (OwnDatabase::new(engine), OwnDatabase::new(Engine::Sqlite));
    assert_same_pages(&imported(&database), &imported(&reference));
}

/// Makes the page at two places, which must be the same.
#[track_caller]
pub fn assert_same_pages(place: &Place, reference: &Place) {
    for args in [
        &[][..],
        &["--since", "2026-01-15T00:30:00Z", "--until", "2026-01-15", "--region", "us-east-1"],
        &["--new-since", "2026-01-14", "--account-id", "111122223333"],
    ] {
        let found = comparable(&page(place, args), place);
        let expected = comparable(&page(reference, args), reference);
        let differs = found.split('<').zip(expected.split('<')).find(|(one, other)| one != other);
        assert_eq!(differs, None);
        assert_eq!(found.len(), expected.len());
    }
}

async fn tables_that_are_summed_up_here_are_the_answers_of_their_questions(engine: Engine) {
    let database = OwnDatabase::new(engine);
    let _place = imported(&database);
    let store = open(&database.url);
    let engine = DatabaseUrl::parse(&database.url).unwrap().engine();
    let since = EventTime::parse("2026-01-15T00:30:00Z").unwrap();
    let ask = async |name: &str, limit: Option<u32>, sink: &mut dyn RowSink| {
        let question = question(name).unwrap();
        let since = question.needs.map(|_| since);
        let filters = Filters { limit, since, ..Filters::default() };
        store.answer(&question.statement(&filters, engine).unwrap(), sink).await.unwrap();
    };
    let (mut callers, mut activity) = (Callers::default(), Activity::default());
    ask("callers", Some(1_000_000), &mut callers).await;
    ask("hours", None, &mut activity).await;
    // A number that does not take all of them, and one that does.
    for rows_max in [7, 1_000] {
        for (name, summed_up) in [
            ("principals", callers.principals(rows_max)),
            ("source-ips", callers.addresses(rows_max)),
            ("user-agents", callers.tools(rows_max)),
            ("new-principals", callers.new_principals(since, rows_max)),
            ("new-source-ips", callers.new_addresses(since, rows_max)),
            ("new-user-agents", callers.new_tools(since, rows_max)),
        ] {
            let mut rows = Rows::default();
            ask(name, Some(u32::try_from(rows_max).unwrap()), &mut rows).await;
            assert!(rows.rows.len() > 6, "{name}");
            assert_eq!(summed_up, rows, "{name}");
        }
    }

    let mut gaps = Rows::default();
    ask("gaps", None, &mut gaps).await;
    let hour = |hour| hour_start(hour).unwrap().to_string()[..13].to_owned();
    let text = |text: Option<&str>| text.map(str::to_owned);
    let found = activity.gaps().map(|gap| {
        let hours = [hour(gap.before), hour(gap.after)].map(Some);
        let place = [text(gap.place.account()), text(gap.place.region())];
        [&place[..], &hours, &[Some(gap.empty_hours().to_string())]].concat()
    });
    let texts = |rows: &Rows| {
        let row = |row: &Vec<AnswerCell>| row.iter().map(|cell| text(cell.text())).collect();
        rows.rows.iter().map(row).collect::<Vec<Vec<Option<String>>>>()
    };
    assert_eq!(found.collect::<Vec<_>>(), texts(&gaps));
    assert!(!gaps.rows.is_empty());

    let mut timeline = Rows::default();
    ask("timeline", None, &mut timeline).await;
    let found = activity.hours.iter().map(|(number, counts)| {
        vec![Some(hour(*number)), Some(counts.events.to_string()), Some(counts.errors.to_string())]
    });
    assert_eq!(found.collect::<Vec<_>>(), texts(&timeline));

    let mut summary = Rows::default();
    ask("summary", None, &mut summary).await;
    let (first, last) = activity.span().unwrap();
    let number = |number: u64| Some(number.to_string());
    assert_eq!(
        [&texts(&summary)[0][..1], &texts(&summary)[0][2..4], &texts(&summary)[0][7..]].concat(),
        [
            number(activity.counts.events),
            Some(first.to_string()),
            Some(last.to_string()),
            number(activity.counts.errors)
        ]
    );
    store.close().await;
}

/// Writes logs with the names in every field that the page shows.
fn write_hostile_logs(place: &Place) {
    let calls = [
        ("ConsoleLogin", "signin.amazonaws.com", "IAMUser"),
        ("CreateUser", "iam.amazonaws.com", "IAMUser"),
        ("StopLogging", "cloudtrail.amazonaws.com", "IAMUser"),
        ("DeleteBucketPublicAccessBlock", "s3.amazonaws.com", "IAMUser"),
        ("GetObject", "s3.amazonaws.com", "Root"),
        ("@", "@", "@"),
    ];
    let mut records = Vec::new();
    for (n, name) in NAMES.into_iter().chain([&*"long-name".repeat(500)]).enumerate() {
        let quoted = serde_json::to_string(name).unwrap();
        for (m, (call, source, kind)) in calls.into_iter().enumerate() {
            let of = |text: &str| {
                if text == "@" { quoted.clone() } else { format!("\"{text}\"") }
            };
            let fields = format!(
                "\"eventName\":{},\"eventSource\":{},\"userAgent\":{quoted},\
                 \"sourceIPAddress\":{quoted},\"errorCode\":{quoted},\"errorMessage\":{quoted},\
                 \"awsRegion\":{quoted},\"recipientAccountId\":{quoted},\
                 \"requestParameters\":{{\"userName\":{quoted},\"roleName\":{quoted},\
                 \"policyArn\":{quoted},\"bucketName\":{quoted}}},\
                 \"responseElements\":{{\"ConsoleLogin\":{quoted}}},\
                 \"additionalEventData\":{{\"MFAUsed\":{quoted}}},\
                 \"userIdentity\":{{\"type\":{},\"arn\":{quoted},\"userName\":{quoted}}}",
                of(call),
                of(source),
                of(kind)
            );
            records.push(record_with(&format!("{n}-{m}"), &fields));
        }
    }
    place.write("logs/a.json", wrapper(&records));
    // An object that fails, and a record that is rejected.
    place.write("logs/<img src=x onerror=alert(1)>.json.gz", b"\x1f\x8b broken");
    let records = r#"{"Records":[{"eventID":"1","eventName":"GetObject"},"not a record"]}"#;
    place.write("logs/'\"><script>.json", records);
    place.run(&["--quiet", "import", "logs"]).expect(3);
}

fn names_do_no_harm_on_the_page(engine: Engine) {
    let database = OwnDatabase::new(engine);
    let place = Place::with_database(&database.url);
    write_hostile_logs(&place);
    let page = page(&place, &[]);
    assert_harmless(&page);
    let shown = page.replace("<wbr>", "");
    for escaped in [
        "<bdi>&lt;script&gt;alert(1)&lt;/script&gt;</bdi>",
        "<bdi>\\u{202e}evil\\u{2066}\\u{200b}</bdi>",
        "<bdi>\\u{1b}[2J\\u{9b}0m\\u{7}\\r\\n</bdi>",
    ] {
        assert!(shown.contains(escaped), "{escaped}");
    }
    assert!(!page.contains("long-name".repeat(50).as_str()), "a long name is cut");
}

/// Checks that a page has only elements and attributes of the program, and addresses only itself.
fn assert_harmless(page: &str) {
    let tag = Regex::new(r#"</?([a-zA-Z!][a-zA-Z0-9]*)((?:\s+[a-zA-Z0-9-]+(?:="[^"]*")?)*)\s*>"#);
    let attribute = Regex::new(r#"([a-zA-Z0-9-]+)="([^"]*)""#).unwrap();
    let (mut tags, mut attributes) = (BTreeSet::new(), BTreeSet::new());
    let mut count = 0;
    for found in tag.unwrap().captures_iter(page) {
        count += 1;
        tags.insert(found[1].to_owned());
        for found in attribute.captures_iter(&found[2]) {
            attributes.insert(found[1].to_owned());
            let is_address = matches!(&found[1], "href" | "src" | "action" | "srcset");
            let is_own = found[2].starts_with('#') || found[2].starts_with("data:image/svg+xml,");
            assert!(!is_address || is_own, "{}", &found[0]);
        }
    }
    // Each `<` of the page begins one of these tags.
    assert_eq!(page.matches('<').count(), count);
    for tag in ["script", "img", "iframe", "object", "embed", "form", "base"] {
        assert!(!tags.contains(tag), "{tag}");
    }
    assert!(!attributes.iter().any(|name| name.starts_with("on") || name == "style"));
    let hidden = |c: char| c.is_control() && c != '\n' || matches!(c, '\u{200b}'..='\u{2069}');
    // These are of the program.
    assert!(!page.replace('…', "").contains(hidden));
    assert!(page.contains("default-src 'none'; style-src 'sha256-"));
}

fn without_events_there_is_a_page(engine: Engine) {
    let database = OwnDatabase::new(engine);
    let place = Place::with_database(&database.url);
    place.write("logs/a.txt", "no log");
    place.run(&["--quiet", "import", "logs"]).expect(0);
    let page = page(&place, &[]);
    assert!(page.contains("No events"));
    assert_harmless(&page);
}

fn the_page_is_written_whole_or_not_at_all(engine: Engine) {
    let database = OwnDatabase::new(engine);
    let place = Place::with_database(&database.url);
    let run = place.run(&["report", "--out", "x.html"]).expect(1);
    assert!(run.stderr.contains("nothing has been imported"), "{}", run.stderr);
    place.write("logs/a.json", wrapper(&[record("a")]));
    place.run(&["--quiet", "import", "logs"]).expect(0);
    place.write("x.html", "earlier");
    let run = place.run(&["report", "--out", "none/x.html"]).expect(1);
    assert!(run.stderr.contains("cannot write none/x.html"), "{}", run.stderr);
    database.query("DROP VIEW events");
    let run = place.run(&["report", "--out", "x.html"]).expect(1);
    assert!(run.stderr.contains("has no view `events`"), "{}", run.stderr);
    assert_eq!(std::fs::read_to_string(place.path("x.html")).unwrap(), "earlier");
    let files = std::fs::read_dir(place.path("")).unwrap();
    let names: BTreeSet<_> = files.map(|file| file.unwrap().file_name()).collect();
    assert!(names.iter().all(|name| !name.to_str().unwrap().starts_with(".tmp")), "{names:?}");
}

fn what_is_new_is_new_in_all_events(engine: Engine) {
    let database = OwnDatabase::new(engine);
    let place = Place::with_database(&database.url);
    let event = |id: &str, day: u32, tool: &str| {
        record_with(
            id,
            &format!("\"eventTime\":\"2026-01-{day:02}T12:00:00Z\",\"userAgent\":\"{tool}\""),
        )
    };
    let records = [event("a", 1, "known"), event("b", 9, "known"), event("c", 9, "unknown")];
    place.write("logs/a.json", wrapper(&records));
    place.run(&["--quiet", "import", "logs"]).expect(0);
    let new = |args: &[&str]| {
        let page = page(&place, args);
        let (_, section) = page.split_once("<caption>New tools</caption>").unwrap();
        section.split_once("</table>").unwrap().0.to_owned()
    };
    for args in [&[][..], &["--since", "2026-01-08"], &["--new-since", "2026-01-08"]] {
        let new = new(args);
        assert!(new.contains(">unknown<") && !new.contains(">known<"), "{args:?}: {new}");
    }
    assert!(new(&["--new-since", "2026-01-01"]).contains(">known<"));
}

/// Returns the texts whose contrast with their ground is less than WCAG 2.2 demands (4.5, or 3 for
/// large text), the headings that skip a level, and the ids that are there twice.
const DEFECTS: &str = r"(() => {
    const part = value => (value /= 255) <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
    const parsed = color => color.match(/[\d.]+/g).map(Number);
    const luminance = ([r, g, b]) => 0.2126 * part(r) + 0.7152 * part(g) + 0.0722 * part(b);
    const ground = element => {
        for (; element; element = element.parentElement) {
            const color = parsed(getComputedStyle(element).backgroundColor);
            if (color.length < 4 || color[3] > 0.5) return color;
        }
        return [255, 255, 255];
    };
    const defects = new Set();
    for (const element of document.body.querySelectorAll('*')) {
        const has_text = [...element.childNodes].some(it => it.nodeType == 3 && it.data.trim());
        if (!has_text || element.closest('.hidden, .skip, caption, svg')) continue;
        const style = getComputedStyle(element);
        const [one, other] = [luminance(parsed(style.color)), luminance(ground(element))].sort((a, b) => b - a);
        const least = parseFloat(style.fontSize) >= 24 ? 3 : 4.5;
        const ratio = (one + 0.05) / (other + 0.05);
        if (ratio < least) defects.add(`${element.tagName}.${element.className}: contrast ${ratio.toFixed(2)}`);
    }
    let level = 0;
    for (const heading of document.querySelectorAll('h1, h2, h3, h4')) {
        const next = Number(heading.tagName[1]);
        if (next > level + 1) defects.add(`${heading.textContent}: level ${next} after ${level}`);
        level = next;
    }
    const ids = [...document.querySelectorAll('[id]')].map(it => it.id);
    if (new Set(ids).size != ids.length) defects.add('an id is there twice');
    for (const link of document.querySelectorAll('nav a, .checks a')) {
        if (!document.getElementById(link.getAttribute('href').slice(1))) defects.add(link.outerHTML);
    }
    return [...defects];
})()";

/// Loads a page at both widths and in both colour schemes, checks it, and takes pictures.
fn shown(browser: &mut Browser, page: &Path, name: &str) {
    let url = format!("file://{}", page.display());
    for (width, scheme) in WIDTHS.iter().flat_map(|width| [(*width, "light"), (*width, "dark")]) {
        browser.set_window(width, scheme);
        let reports = browser.load(&url);
        assert!(reports.is_empty(), "{width} {scheme}: {reports:#?}");
        let scroll = browser.evaluate("document.documentElement.scrollWidth").as_u64();
        assert_eq!(scroll, Some(width.into()), "the page is too wide");
        let defects = browser.evaluate(DEFECTS);
        assert_eq!(defects, serde_json::json!([]), "{width} {scheme}");
        let height = browser.evaluate("document.documentElement.scrollHeight").as_u64().unwrap();
        let picture = browser.picture(width, u32::try_from(height).unwrap().min(16_000));
        // An empty picture of this size has a tenth of that.
        assert!(picture.len() > 50_000, "{width} {scheme}: a picture of {} bytes", picture.len());
        let file = format!("{}/{name}-{width}-{scheme}.png", env!("CARGO_TARGET_TMPDIR"));
        std::fs::write(file, picture).unwrap();
    }
}

#[test]
fn a_browser_shows_the_page_without_a_request_or_a_message() {
    let mut browser = Browser::start();
    let database = OwnDatabase::new(Engine::Sqlite);
    let place = imported(&database);
    page(&place, &[]);
    shown(&mut browser, &place.path("report.html"), "report");
    let database = OwnDatabase::new(Engine::Sqlite);
    let place = Place::with_database(&database.url);
    write_hostile_logs(&place);
    page(&place, &[]);
    shown(&mut browser, &place.path("report.html"), "hostile");
}

/// The picture in README.md: the top of the page of the sample. Fonts differ between machines, so it is
/// not compared.
#[test]
fn the_picture_in_the_readme_is_taken_from_the_page_of_the_sample() {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/report.png");
    if blesses() {
        let place = Place::with_database("sqlite://cloudtrail.db");
        place.run(&["--quiet", "import", SAMPLE]).expect(0);
        page(&place, &[]);
        let mut browser = Browser::start();
        browser.set_window(PICTURE.0, "light");
        browser.load(&format!("file://{}", place.path("report.html").display()));
        std::fs::write(file, browser.picture(PICTURE.0, PICTURE.1)).unwrap();
    }
    let picture = std::fs::read(file).unwrap();
    let number = |at: usize| u32::from_be_bytes(picture[at..at + 4].try_into().unwrap());
    assert_eq!((number(16), number(20)), PICTURE);
    assert!(picture.len() < 200_000, "{} bytes", picture.len());
}

#[test]
fn the_browser_of_the_tests_sees_requests_and_messages() {
    let mut browser = Browser::start();
    browser.set_window(400, "light");
    let place = Place::new();
    let url = |name: &str| format!("file://{}", place.path(name).display());
    for (name, text) in [
        ("image.html", "<img src=x.png>"),
        ("console.html", "<script>console.log(1)</script>"),
        (
            "policy.html",
            "<meta http-equiv=Content-Security-Policy content=\"default-src 'none'\"><style></style>",
        ),
    ] {
        place.write(name, format!("<!doctype html><title>x</title>{text}"));
        assert!(!browser.load(&url(name)).is_empty(), "{name}");
    }
    place.write("wide.html", "<!doctype html><title>x</title><pre style='width: 500px'>x");
    assert!(browser.load(&url("wide.html")).is_empty());
    assert_eq!(browser.evaluate("document.documentElement.scrollWidth"), 508);
}
