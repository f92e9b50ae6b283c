//! The manual pages: the texts of `--help` in the form that `man` reads.

use std::io::Write;

use clap::{Command, CommandFactory};
use clap_mangen::Man;
use clap_mangen::roff::{Roff, roman};

use super::Cli;

/// The manual page of one command.
#[derive(Debug)]
pub(crate) struct ManualPage {
    /// Such as `cloudtrail2sql-import.1`.
    pub(crate) file_name: String,
    /// The page in roff.
    pub(crate) text: String,
}

/// Returns the page of the program, then one for each command in the order of the help.
pub(crate) fn manual_pages() -> Vec<ManualPage> {
    // `help` has no page.
    let mut program = Cli::command().disable_help_subcommand(true);
    // Gives the commands the options of every command.
    program.build();
    let commands = program.get_subcommands().cloned().collect::<Vec<_>>();
    [program].into_iter().chain(commands).map(manual_page).collect()
}

fn manual_page(command: Command) -> ManualPage {
    let after = command.get_after_long_help().map(ToString::to_string);
    let has_commands = command.has_subcommands();
    let man = Man::new(command);
    let file_name = man.get_filename();
    let mut text = Vec::new();
    render(&man, has_commands, after.as_deref(), &mut text).expect("writing to a Vec cannot fail");
    let text = String::from_utf8(text).expect("the names and the help are UTF-8");
    // Before the possible values of an option, the crate breaks the line twice more than needed.
    ManualPage { file_name, text: text.replace("\n.br\n\n.br\n", "\n.sp\n") }
}

/// Renders a page. The crate would put the text after the options into one section called EXTRA, and
/// leave out the date of the title, so that what follows it would move up.
fn render(
    man: &Man,
    has_commands: bool,
    after: Option<&str>,
    text: &mut Vec<u8>,
) -> std::io::Result<()> {
    let name = man.get_filename();
    let name = name.trim_end_matches(".1");
    writeln!(text, ".TH {name} 1 \"\" \"cloudtrail2sql {}\"", env!("CARGO_PKG_VERSION"))?;
    man.render_name_section(text)?;
    man.render_synopsis_section(text)?;
    man.render_description_section(text)?;
    if has_commands {
        man.render_subcommands_section(text)?;
    }
    man.render_options_section(text)?;
    for (heading, lines) in after.map(sections).unwrap_or_default() {
        let mut roff = Roff::default();
        roff.control("SH", [heading.to_uppercase().as_str()]).control("nf", []);
        for line in lines {
            roff.text([roman(line)]);
        }
        roff.control("fi", []);
        roff.to_writer(text)?;
    }
    Ok(())
}

/// Splits a text such as `Examples:\n  …\n\nExit codes:\n  …` into headings and their lines.
fn sections(text: &str) -> Vec<(&str, Vec<&str>)> {
    let mut sections: Vec<(&str, Vec<&str>)> = Vec::new();
    for line in text.lines() {
        match (line.strip_suffix(':'), sections.last_mut()) {
            (Some(heading), _) if !line.starts_with(' ') => sections.push((heading, Vec::new())),
            (_, Some((_, lines))) => lines.push(line.strip_prefix("  ").unwrap_or(line)),
            (_, None) => {}
        }
    }
    for (_, lines) in &mut sections {
        while lines.last().is_some_and(|line| line.is_empty()) {
            lines.pop();
        }
    }
    sections
}
