//! Who made a call: `userIdentity`, taken apart into the columns of `identities`.

use std::borrow::Cow;
use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;
use sha2::{Digest, Sha256};

/// A derived column holds at most this many characters: up to 2,560 bytes, less than an index of any
/// of the databases accepts. Names and ARNs are shorter (AWS IAM user guide, "IAM and AWS STS
/// quotas"); what is longer is cut, and `user_identity` has all of it.
pub const CHARS_MAX: usize = 640;

/// The text columns of `identities` that are derived from `userIdentity`, in the table's order.
pub const COLUMNS: [&str; 11] = [
    "user_type",
    "user_name",
    "user_arn",
    "user_id",
    "user_account_id",
    "access_key_id",
    "role_name",
    "role_arn",
    "session_name",
    "source_identity",
    "invoked_by",
];

/// The members that the identity of a role session has.
const MEMBERS_USUAL: usize = 8;

/// Returns the key of an identity: the first eight bytes of the SHA-256 of its JSON text.
///
/// Two identities with one key would share a line of `identities`. Among a million, the chance is one
/// in 37 million, and each row of `logs` still has its own `userIdentity`.
pub fn identity_id(user_identity: &str) -> i64 {
    let hash = Sha256::digest(user_identity.as_bytes());
    hash.iter().take(size_of::<i64>()).fold(0, |id, byte| id << 8 | i64::from(*byte))
}

/// The parts of one `userIdentity`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Identity<'t> {
    /// The values of [`COLUMNS`]. A value that is absent or an empty string is `None`.
    pub texts: [Option<Cow<'t, str>>; COLUMNS.len()],
    /// Whether the session was authenticated with MFA, if the record says so.
    pub mfa: Option<bool>,
}

impl<'t> Identity<'t> {
    /// Takes the JSON text of a `userIdentity` apart. Anything but an object has no parts.
    pub fn parse(user_identity: &'t str) -> Self {
        let top = Object::parse(user_identity);
        let session_context = top.object("sessionContext");
        let issuer = session_context.object("sessionIssuer");
        let (user_type, principal) = (top.text("type"), top.text("principalId"));
        let session = principal.as_deref().and_then(|it| it.split_once(':'));
        let session = session.map(|(_, name)| name).filter(|name| !name.is_empty());
        let session = session.map(|name| Cow::Owned(name.to_owned()));
        let root = user_type.as_deref().filter(|it| *it == "Root").map(|_| Cow::Borrowed("root"));
        let name = root
            .or_else(|| top.text("userName"))
            // What the console shows for the session of a role.
            .or_else(|| session.clone())
            .or_else(|| top.object("onBehalfOf").text("userId"))
            .or_else(|| top.text("invokedBy"))
            .or_else(|| issuer.text("userName"))
            .or_else(|| top.text("accountId"))
            .or_else(|| principal.clone());
        let texts = [
            user_type,
            name,
            top.text("arn"),
            principal,
            top.text("accountId"),
            top.text("accessKeyId"),
            issuer.text("userName"),
            issuer.text("arn"),
            session,
            session_context.text("sourceIdentity"),
            top.text("invokedBy"),
        ];
        let mfa = session_context.object("attributes").truth("mfaAuthenticated");
        Self { texts: texts.map(|it| it.map(cut)), mfa }
    }

    /// Returns one of the derived columns.
    pub fn text(&self, column: &str) -> Option<&str> {
        let at = COLUMNS.iter().position(|name| *name == column)?;
        self.texts[at].as_deref()
    }
}

/// The members of a JSON object as they stand in its text. Of two members of one name, the last counts.
#[derive(Default)]
struct Object<'t>(Vec<(Cow<'t, str>, &'t str)>);

impl<'t> Object<'t> {
    /// Reads an object. Anything else has no members.
    fn parse(json: &'t str) -> Self {
        serde_json::from_str(json).unwrap_or_default()
    }

    fn get(&self, name: &str) -> Option<&'t str> {
        self.0.iter().rev().find(|(own, _)| own == name).map(|(_, json)| *json)
    }

    fn object(&self, name: &str) -> Self {
        self.get(name).map(Self::parse).unwrap_or_default()
    }

    /// Returns the characters of a string that is not empty, or a number.
    fn text(&self, name: &str) -> Option<Cow<'t, str>> {
        let json = self.get(name)?;
        let text = match json.as_bytes() {
            [b'"', inside @ .., b'"'] if !inside.contains(&b'\\') => {
                Cow::Borrowed(&json[1..json.len() - 1])
            }
            [b'"', ..] => Cow::Owned(serde_json::from_str(json).ok()?),
            [b'-' | b'0'..=b'9', ..] => Cow::Borrowed(json),
            _ => return None,
        };
        Some(text).filter(|text| !text.is_empty())
    }

    /// Returns a truth value, or a string that names one.
    fn truth(&self, name: &str) -> Option<bool> {
        self.get(name)?.trim_matches('"').parse().ok()
    }
}

impl<'de> Deserialize<'de> for Object<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct MemberVisitor;
        impl<'de> Visitor<'de> for MemberVisitor {
            type Value = Object<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members = Vec::with_capacity(MEMBERS_USUAL);
                while let Some((name, value)) = map.next_entry::<Name<'_>, &RawValue>()? {
                    members.push((name.0, value.get()));
                }
                Ok(Object(members))
            }
        }
        deserializer.deserialize_map(MemberVisitor)
    }
}

/// A name; without an escape, it is not copied.
#[derive(Deserialize)]
struct Name<'t>(#[serde(borrow)] Cow<'t, str>);

/// Cuts a text to [`CHARS_MAX`] characters, the last of which shows that it was cut.
fn cut(text: Cow<'_, str>) -> Cow<'_, str> {
    if text.len() <= CHARS_MAX || text.chars().count() <= CHARS_MAX {
        return text;
    }
    text.chars().take(CHARS_MAX - 1).chain(['…']).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(user_identity: &str, column: &str) -> Option<String> {
        Identity::parse(user_identity).text(column).map(ToOwned::to_owned)
    }

    #[test]
    fn the_name_is_the_best_there_is() {
        for (user_identity, expected) in [
            (r#"{"type":"Root","userName":"alias","principalId":"1"}"#, Some("root")),
            (r#"{"type":"IAMUser","userName":"ann","principalId":"AIDA1"}"#, Some("ann")),
            (
                r#"{"type":"AssumedRole","principalId":"AROA1:ann@example.com"}"#,
                Some("ann@example.com"),
            ),
            (
                r#"{"type":"IdentityCenterUser","onBehalfOf":{"userId":"u-1"},"accountId":"1"}"#,
                Some("u-1"),
            ),
            (r#"{"type":"AWSService","invokedBy":"ec2.amazonaws.com"}"#, Some("ec2.amazonaws.com")),
            (
                r#"{"type":"AWSAccount","accountId":"111122223333","principalId":"AIDA2"}"#,
                Some("111122223333"),
            ),
            (r#"{"principalId":"AIDA3"}"#, Some("AIDA3")),
            (r#"{"principalId":"AROA1:","userName":""}"#, Some("AROA1:")),
            ("{}", None),
            (r#""text""#, None),
            ("[1]", None),
            ("{", None),
        ] {
            assert_eq!(text(user_identity, "user_name").as_deref(), expected, "{user_identity}");
        }
    }

    #[test]
    fn the_parts_of_a_role_session_are_found() {
        let user_identity = r#"{"type":"AssumedRole","principalId":"AROA1:ann",
            "arn":"arn:aws:sts::111122223333:assumed-role/Admin/ann","accountId":"111122223333",
            "accessKeyId":"ASIA1","invokedBy":"x.amazonaws.com","sessionContext":{"sessionIssuer":
            {"userName":"Admin","arn":"arn:aws:iam::111122223333:role/Admin"},
            "attributes":{"mfaAuthenticated":"true"},"sourceIdentity":"ann@example.com"}}"#;
        let identity = Identity::parse(user_identity);
        let expected = [
            "AssumedRole",
            "ann",
            "arn:aws:sts::111122223333:assumed-role/Admin/ann",
            "AROA1:ann",
            "111122223333",
            "ASIA1",
            "Admin",
            "arn:aws:iam::111122223333:role/Admin",
            "ann",
            "ann@example.com",
            "x.amazonaws.com",
        ];
        assert_eq!(identity.texts, expected.map(|it| Some(Cow::Borrowed(it))));
        assert_eq!(identity.mfa, Some(true));
        let no = r#"{"sessionContext":{"attributes":{"mfaAuthenticated":"false"}}}"#;
        assert_eq!(Identity::parse(no).mfa, Some(false));
        for no_parts in [r#"{"sessionContext":[]}"#, r#"{"sessionContext":{"attributes":"true"}}"#]
        {
            assert_eq!(Identity::parse(no_parts), Identity::default());
        }
    }

    #[test]
    fn escapes_numbers_and_duplicate_names_are_read() {
        for (user_identity, expected) in [
            (r#"{"userName":"a","user\u004eame":"\u0062\"c"}"#, Some("b\"c")),
            (r#"{"userName":"a","userName":7}"#, Some("7")),
            (r#"{"userName":"a","userName":null,"accountId":-12.5}"#, Some("-12.5")),
            (r#"{"userName":true}"#, None),
            (r#"{"userName":"""#, None),
        ] {
            assert_eq!(text(user_identity, "user_name").as_deref(), expected, "{user_identity}");
        }
    }

    #[test]
    fn a_long_value_is_cut_and_shows_it() {
        let long = "é".repeat(CHARS_MAX);
        let user_identity = |name: &str| format!(r#"{{"userName":"{name}"}}"#);
        assert_eq!(text(&user_identity(&long), "user_name"), Some(long.clone()));
        let cut = text(&user_identity(&format!("{long}x")), "user_name").unwrap();
        assert_eq!((cut.chars().count(), cut.ends_with('…')), (CHARS_MAX, true));
    }

    #[test]
    fn an_id_is_the_start_of_the_hash() {
        // The SHA-256 of "{}" begins with 44 13 6f a3 55 b3 67 8a.
        assert_eq!(identity_id("{}"), 0x4413_6fa3_55b3_678a);
    }
}
