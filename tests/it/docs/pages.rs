//! The pages, and how they are read.

use std::path::{Path, PathBuf};

/// One Markdown file.
pub struct Page {
    /// Path below the root of the repository, such as `docs/s3.md`.
    pub path: String,
    pub text: String,
}

/// A fenced code block.
pub struct Block<'t> {
    pub language: &'t str,
    pub body: String,
}

pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Reads one page.
pub fn page(path: &str) -> Page {
    let text = std::fs::read_to_string(root().join(path));
    Page { path: path.to_owned(), text: text.unwrap_or_else(|error| panic!("{path}: {error}")) }
}

/// Reads every page, in a fixed order.
pub fn pages() -> Vec<Page> {
    let entries = std::fs::read_dir(root().join("docs")).unwrap();
    let mut paths: Vec<String> = entries
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "md"))
        .map(|path| format!("docs/{}", path.file_name().unwrap().to_str().unwrap()))
        .collect();
    assert!(paths.len() > 10, "{paths:?}");
    paths.extend(["README.md", "CONTRIBUTING.md", "BENCHMARKS.md"].map(str::to_owned));
    paths.sort();
    paths.iter().map(|path| page(path)).collect()
}

impl Page {
    /// Returns the folder the page is in.
    pub fn folder(&self) -> PathBuf {
        root().join(&self.path).parent().unwrap().to_owned()
    }

    /// Returns the lines with their numbers from 1, and whether each is inside a code block. The
    /// fences are.
    fn marked_lines(&self) -> impl Iterator<Item = (usize, &str, bool)> {
        let mut is_code = false;
        self.text.lines().enumerate().map(move |(n, line)| {
            let is_fence = line.starts_with("```");
            let in_block = is_code || is_fence;
            is_code ^= is_fence;
            (n + 1, line, in_block)
        })
    }

    /// Returns the lines outside of code blocks.
    pub fn prose(&self) -> impl Iterator<Item = &str> {
        self.marked_lines().filter(|(.., in_block)| !in_block).map(|(_, line, _)| line)
    }

    /// Returns the code blocks.
    pub fn blocks(&self) -> Vec<Block<'_>> {
        let mut blocks = Vec::new();
        let mut lines = self.text.lines();
        while let Some(line) = lines.next() {
            if let Some(language) = line.strip_prefix("```") {
                let body = lines.by_ref().take_while(|line| *line != "```");
                let body = body.flat_map(|line| [line, "\n"]).collect();
                blocks.push(Block { language, body });
            }
        }
        blocks
    }

    /// Returns the code blocks of one language.
    pub fn blocks_of(&self, language: &str) -> Vec<String> {
        let blocks = self.blocks().into_iter();
        blocks.filter(|block| block.language == language).map(|block| block.body).collect()
    }

    /// Returns the rows of the table with these column heads.
    pub fn table(&self, heads: &[&str]) -> Vec<Vec<String>> {
        let mut lines = self.prose().skip_while(|line| cells(line) != heads);
        assert!(lines.next().is_some(), "no table {heads:?} in {}", self.path);
        lines.skip(1).take_while(|line| line.starts_with('|')).map(cells).collect()
    }

    /// Returns the anchors that GitHub gives to the headings.
    pub fn anchors(&self) -> Vec<String> {
        let headings = self.prose().filter(|line| line.starts_with('#'));
        headings.map(|line| anchor(line.trim_start_matches('#').trim())).collect()
    }
}

/// Returns the cells of a table's row; `\|` is a character of a cell.
fn cells(line: &str) -> Vec<String> {
    let inner = line.trim_matches('|').replace(r"\|", "\u{1}");
    inner.split('|').map(|cell| cell.trim().replace('\u{1}', "|")).collect()
}

/// GitHub: lower case, without punctuation, spaces become hyphens.
fn anchor(heading: &str) -> String {
    let is_kept = |c: &char| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_');
    heading.to_lowercase().chars().filter(is_kept).collect::<String>().replace(' ', "-")
}

#[test]
fn an_anchor_is_spelled_as_github_spells_it() {
    assert_eq!(anchor("PostgreSQL, MySQL and `tls`"), "postgresql-mysql-and-tls");
}

#[test]
fn blocks_and_tables_are_found() {
    let text = "# A\n| a | b |\n|---|---|\n| 1 | `x\\|y` |\n\n```sh\n# no heading\n| c |\n```\n";
    let page = Page { path: "x.md".into(), text: text.into() };
    assert_eq!(page.blocks_of("sh"), ["# no heading\n| c |\n"]);
    assert_eq!(page.table(&["a", "b"]), [["1", "`x|y`"]]);
    assert_eq!(page.anchors(), ["a"]);
}
