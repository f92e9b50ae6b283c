//! The command line: what was typed, what it means, what each command does, what is printed.

pub mod config;

pub mod error;

pub mod args;

pub mod output;

pub mod logging;

pub mod commands;
