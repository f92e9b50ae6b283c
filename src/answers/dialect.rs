//! The two macros for what differs between the databases. There is never a third.

use crate::database::url::Engine;

/// Returns the text of a member of a JSON column: `{j:COLUMN:path.to.member}`.
///
/// Texts are compared by their bytes, whatever the database's own order is.
pub(super) fn member(engine: Engine, column: &str, path: &str) -> String {
    match engine {
        Engine::Sqlite => format!("json_extract({column}, '$.{path}')"),
        Engine::Postgres => {
            format!("(({column}::json #>> '{{{}}}') COLLATE \"C\")", path.replace('.', ","))
        }
        // Without the type, MySQL returns at most 512 characters.
        Engine::Mysql => format!(
            "(JSON_VALUE({column}, '$.{path}' /*!80021 RETURNING CHAR(2048) */) COLLATE utf8mb4_bin)"
        ),
    }
}

/// Returns a table of the view's rows, once for each element of an array: `item` is the text of one
/// member of the element. `{each:COLUMN:path.to.array:member}`
///
/// A row without such an array is not in the table.
pub(super) fn each(engine: Engine, column: &str, path: &str, member: &str) -> String {
    match engine {
        // An element that is not an object has no members.
        Engine::Sqlite => format!(
            "(\n    SELECT events.*, json_extract(element.value, '$.{member}') AS item\n    \
             FROM events JOIN json_each(events.{column}, '$.{path}') element\n    \
             WHERE json_type(events.{column}, '$.{path}') = 'array' AND element.type = 'object'\n    \
             AND json_extract(element.value, '$.{member}') IS NOT NULL\n) elements"
        ),
        Engine::Postgres => {
            let array = format!("events.{column}::json #> '{{{}}}'", path.replace('.', ","));
            format!(
                "(\n    SELECT events.*, (element.value ->> '{member}') COLLATE \"C\" AS item\n    \
                 FROM events CROSS JOIN LATERAL json_array_elements(\n        \
                 CASE WHEN json_typeof({array}) = 'array' THEN {array} END) element\n    \
                 WHERE element.value ->> '{member}' IS NOT NULL\n) elements"
            )
        }
        // JSON_TABLE refuses a column of text.
        Engine::Mysql => format!(
            "(\n    SELECT events.*, element.item COLLATE utf8mb4_bin AS item\n    \
             FROM events JOIN JSON_TABLE(JSON_EXTRACT(events.{column}, '$'), '$.{path}[*]'\n        \
             COLUMNS (item VARCHAR(2048) CHARACTER SET utf8mb4 PATH '$.{member}' NULL ON ERROR)) element\n    \
             WHERE element.item IS NOT NULL\n) elements"
        ),
    }
}
