//! The picture in README.md: an SVG of a terminal with what the program prints.

use std::fmt::Write as _;

use super::blesses;
use super::examples::{Runs, without_times};
use super::pages::root;

const FILE: &str = "docs/import.svg";

/// The query at the end of the picture; the prompt breaks it where it is broken here.
const QUERY: &str = "SELECT eventSource, COUNT(*) AS n FROM logs\n\
                     GROUP BY eventSource ORDER BY n DESC LIMIT 5";

const FONT_SIZE: usize = 14;
const LINE_HEIGHT: usize = 20;
/// The widest usual fonts take 0.61 of their size.
const CHAR_WIDTH: f64 = 8.6;
const MARGIN: usize = 20;
/// Height of the bar with the three buttons.
const BAR: usize = 34;

/// Returns the lines of a session: prompts, commands, outputs.
async fn session(runs: &mut Runs) -> Vec<String> {
    let (first, second) = QUERY.split_once('\n').unwrap();
    let mut text = format!(
        "$ cloudtrail2sql import tests/sample\n{}\n\
         $ sqlite3 cloudtrail.db \"{first}\n>   {second}\"\n",
        runs.outputs["import"]
    );
    text.push_str(&runs.answer(QUERY).await);
    text.lines().map(str::to_owned).collect()
}

/// Draws the lines, light on dark, so that it is readable on pages of both colours.
fn svg(lines: &[String]) -> String {
    let columns = lines.iter().map(|line| line.chars().count()).max().unwrap_or_default();
    #[expect(clippy::cast_precision_loss, reason = "some 80 columns")]
    let width = columns as f64 * CHAR_WIDTH + 2.0 * MARGIN as f64;
    let height = BAR + lines.len() * LINE_HEIGHT + MARGIN;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" role=\"img\" \
         viewBox=\"0 0 {width:.0} {height}\" width=\"{width:.0}\" height=\"{height}\">\n\
         <title>A terminal: cloudtrail2sql imports the sample, and SQLite answers a query.</title>\n\
         <style>\n\
         text {{ font: {FONT_SIZE}px ui-monospace, SFMono-Regular, Menlo, Consolas, \
         'DejaVu Sans Mono', 'Liberation Mono', monospace; white-space: pre; fill: #d0d7de }}\n\
         .typed {{ fill: #7ee787 }}\n\
         </style>\n\
         <rect width=\"100%\" height=\"100%\" rx=\"8\" fill=\"#161b22\"/>\n"
    );
    for (n, color) in ["#ff5f56", "#ffbd2e", "#27c93f"].iter().enumerate() {
        let x = MARGIN + n * 20;
        writeln!(svg, "<circle cx=\"{x}\" cy=\"18\" r=\"6\" fill=\"{color}\"/>").unwrap();
    }
    for (n, line) in lines.iter().enumerate() {
        let y = BAR + (n + 1) * LINE_HEIGHT - 6;
        let class = if line.starts_with(['$', '>']) { " class=\"typed\"" } else { "" };
        let text = escape(line);
        writeln!(svg, "<text x=\"{MARGIN}\" y=\"{y}\" xml:space=\"preserve\"{class}>{text}</text>")
            .unwrap();
    }
    svg.push_str("</svg>\n");
    svg
}

/// Returns the lines in a picture.
fn lines_of(svg: &str) -> Vec<String> {
    let texts = svg.lines().filter(|line| line.starts_with("<text "));
    let inner = texts.map(|line| {
        let (_, rest) = line.split_once('>').unwrap();
        rest.strip_suffix("</text>").unwrap()
    });
    inner.map(unescape).collect()
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

fn unescape(text: &str) -> String {
    text.replace("&gt;", ">").replace("&lt;", "<").replace("&amp;", "&")
}

#[tokio::test]
async fn the_picture_shows_what_the_program_prints() {
    let mut runs = Runs::new().await;
    let session = session(&mut runs).await;
    let path = root().join(FILE);
    let drawn = std::fs::read_to_string(&path).unwrap_or_default();
    let mut lines = lines_of(&drawn);
    let is_right = without_times(&lines.join("\n")) == without_times(&session.join("\n"));
    if blesses() {
        // Times stay as they are while the rest is right.
        if !is_right {
            lines = session;
        }
        std::fs::write(path, svg(&lines)).unwrap();
        return;
    }
    assert_eq!(without_times(&lines.join("\n")), without_times(&session.join("\n")));
    assert_eq!(drawn, svg(&lines), "{FILE} was changed by hand");
}

#[test]
fn text_in_a_picture_is_escaped() {
    let lines = ["$ a < b && c > \"d\"".to_owned(), String::new(), "  é &lt; x".to_owned()];
    let svg = svg(&lines);
    assert!(svg.contains("$ a &lt; b &amp;&amp; c &gt; \"d\"</text>"), "{svg}");
    assert_eq!(lines_of(&svg), lines);
}
