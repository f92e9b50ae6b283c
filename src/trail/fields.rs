//! The table of fields: what of a CloudTrail record becomes a column of `logs`.
//!
//! One line per field. The number of columns, the INSERT and COPY statements, the room in each
//! column, the comparison with an existing table and the list in the documentation all follow from
//! it; the files in `migrations/` are tested against it. Nothing else in the
//! program knows a column by its number.

use std::fmt;

/// A field of a record that has a column of its own in `logs`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Field {
    /// Its name in the record, at the top level, and the name of its column.
    pub name: &'static str,
    /// What the column holds of it.
    pub form: Form,
    /// Whether its presence marks a JSON object as a CloudTrail record. The fields that do not
    /// also occur in other services' events.
    pub is_mark: bool,
    /// Where else the value is found in records of other categories.
    pub fallback: Option<Fallback>,
    /// The column's type in each database.
    pub types: ColumnTypes,
}

/// What a column holds of a field's value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// The characters of a string; a value of another type as its JSON text.
    Text,
    /// The JSON text as it stands in the file.
    Json,
}

/// Where a value is found if the record has no field of its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fallback {
    /// Insights records: under the same name inside `insightDetails` (AWS CloudTrail user guide,
    /// "CloudTrail record contents for Insights events for trails").
    InsightDetails,
    /// Aggregated records: under this name at the top level (AWS CloudTrail user guide, "CloudTrail
    /// record contents for aggregated events").
    Aggregated(&'static str),
}

/// The type of one column in each database, as its `CREATE TABLE` writes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ColumnTypes {
    /// SQLite.
    pub sqlite: &'static str,
    /// PostgreSQL, without the collation.
    pub postgres: &'static str,
    /// MySQL and MariaDB.
    pub mysql: MysqlType,
}

/// A text type of MySQL and MariaDB (manual, "String Type Storage Requirements").
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MysqlType {
    /// `varchar(N)`: at most N characters.
    Varchar(u16),
    /// `mediumtext`: less than 2^24 bytes.
    MediumText,
    /// `longtext`: less than 2^32 bytes, more than an object can have.
    LongText,
}

impl fmt::Display for MysqlType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Varchar(chars) => write!(f, "varchar({chars})"),
            Self::MediumText => f.write_str("mediumtext"),
            Self::LongText => f.write_str("longtext"),
        }
    }
}

/// A key of InnoDB has at most 3,072 bytes: 768 characters of utf8mb4 (MySQL manual, "InnoDB
/// Limits"). With one character less, the key of a partition still fits beside it.
const INDEXED: MysqlType = MysqlType::Varchar(767);

/// The index on `eventSource` and `eventName` has room for half of a key each. The longest names that
/// AWS has are 49 and 63 characters long.
const HALF_OF_INDEX: MysqlType = MysqlType::Varchar(384);

/// CloudTrail fills these with up to 1,024 characters (AWS CloudTrail user guide, "CloudTrail
/// record contents").
const WIDE: MysqlType = MysqlType::Varchar(1024);

/// The first 16 columns of `logs`, in order: the tutorial's names, which are CloudTrail's.
pub const FIELDS: [Field; 16] = [
    text("eventVersion", INDEXED).mark(),
    json("userIdentity"),
    text("eventTime", INDEXED).mark(),
    text("eventSource", HALF_OF_INDEX).mark().or(Fallback::InsightDetails),
    text("eventName", HALF_OF_INDEX).mark().or(Fallback::InsightDetails),
    text("awsRegion", INDEXED),
    text("sourceIPAddress", INDEXED),
    text("userAgent", MysqlType::MediumText),
    text("errorCode", WIDE).or(Fallback::InsightDetails),
    text("errorMessage", MysqlType::MediumText),
    json("requestParameters"),
    json("responseElements"),
    text("requestID", WIDE),
    text("eventID", INDEXED).mark().or(Fallback::Aggregated("eventId")),
    text("eventType", INDEXED),
    text("recipientAccountId", INDEXED).or(Fallback::Aggregated("accountId")),
];

/// How many fields have a column of their own.
pub const COLUMN_COUNT: usize = FIELDS.len();

/// The names of these columns, in order.
pub const COLUMNS: [&str; COLUMN_COUNT] = {
    let mut names = [""; COLUMN_COUNT];
    let mut n = 0;
    while n < COLUMN_COUNT {
        names[n] = FIELDS[n].name;
        n += 1;
    }
    names
};

/// Returns the place of a column in a row. In a constant, an unknown name does not compile.
///
/// # Panics
/// If no column has that name.
pub const fn column(name: &str) -> usize {
    let mut n = 0;
    while n < COLUMN_COUNT {
        if is_equal(COLUMNS[n].as_bytes(), name.as_bytes()) {
            return n;
        }
        n += 1;
    }
    panic!("no column has this name");
}

/// Compares bytes where the standard library's `==` is not available: in a constant.
const fn is_equal(one: &[u8], other: &[u8]) -> bool {
    let mut n = 0;
    while n < one.len() && n < other.len() && one[n] == other[n] {
        n += 1;
    }
    n == one.len() && n == other.len()
}

const fn text(name: &'static str, mysql: MysqlType) -> Field {
    let types = ColumnTypes { sqlite: "text", postgres: "text", mysql };
    Field { name, form: Form::Text, is_mark: false, fallback: None, types }
}

const fn json(name: &'static str) -> Field {
    let field = text(name, MysqlType::LongText);
    Field { form: Form::Json, ..field }
}

impl Field {
    const fn mark(self) -> Self {
        Self { is_mark: true, ..self }
    }

    const fn or(self, fallback: Fallback) -> Self {
        Self { fallback: Some(fallback), ..self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_column_is_found_by_its_name() {
        for (n, name) in COLUMNS.iter().enumerate() {
            assert_eq!(column(name), n);
        }
        assert!(std::panic::catch_unwind(|| column("event")).is_err());
        assert!(std::panic::catch_unwind(|| column("eventNameX")).is_err());
    }

    /// `AWS_Tutorials`, "301. CloudTrail Log Analysis", `cloudtrail.sql`.
    #[test]
    fn the_columns_are_the_tutorials_by_name_and_order() {
        let tutorial = "eventVersion userIdentity eventTime eventSource eventName awsRegion \
                        sourceIPAddress userAgent errorCode errorMessage requestParameters \
                        responseElements requestID eventID eventType recipientAccountId";
        assert_eq!(COLUMNS.join(" "), tutorial);
    }
}
