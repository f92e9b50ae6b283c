//! Questions to the tables: each is one file in `queries/`, with SQL that gives the same answer on
//! every database.
//!
//! A question reads the view `events`. Its SQL has two macros for what differs between the databases
//! and markers for the filters of the user, which become bound values. This room makes statements, and
//! sums up two large answers for `report`; `database` runs the statements. It writes nothing.

mod filters;

mod dialect;

mod question;

mod catalogue;

mod search;

mod activity;

mod callers;

pub use self::activity::{Activity, Counts, Gap, Place, PlaceActivity, Week, hour_of, hour_start};
pub use self::callers::Callers;
pub use self::catalogue::{question, questions};
pub use self::filters::{Filters, Flag, Period};
pub use self::question::{FilterError, Question};
pub use self::search::{Found, Search};
