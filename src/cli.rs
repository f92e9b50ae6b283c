//! The command line: configuration, arguments, output, logging, and one file per command.

mod escape;

pub mod config;

pub mod error;

pub mod args;

mod output;

mod logging;

pub mod commands;
