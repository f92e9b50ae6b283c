//! What CloudTrail's key layout says of an object: account, family, region and day.
//!
//! Pure. `[prefix/]AWSLogs/[o-ORG/]ACCOUNT/FAMILY/REGION/YYYY/MM/DD/file` (AWS CloudTrail user
//! guide, "Finding your CloudTrail log files"). Only for choosing and for reports: what an object
//! is, its content decides.

/// The parts of an object's place.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Layout {
    /// The account, 12 digits.
    pub account: String,
    /// Such as `CloudTrail`, `CloudTrail-Insight` or `CloudTrail-Digest`.
    pub family: String,
    /// Such as `eu-central-1`.
    pub region: String,
    /// The day folder, `YYYY-MM-DD`. A file may hold events of earlier days.
    pub day: String,
}

impl Layout {
    /// Reads a key, a path or a URI; `None` if it is laid out otherwise.
    pub fn of(uri: &str) -> Option<Self> {
        let parts: Vec<&str> = uri.split('/').collect();
        let start = parts.iter().rposition(|part| *part == "AWSLogs")? + 1;
        let mut rest = &parts[start..];
        if rest.first().is_some_and(|part| part.starts_with("o-")) {
            rest = &rest[1..];
        }
        let [account, family, region, year, month, day, _file] = rest else { return None };
        let is_number = |part: &str, digits: usize| {
            part.len() == digits && part.bytes().all(|byte| byte.is_ascii_digit())
        };
        let is_laid_out = is_number(account, 12)
            && family.starts_with("CloudTrail")
            && is_number(year, 4)
            && is_number(month, 2)
            && is_number(day, 2);
        is_laid_out.then(|| Self {
            account: (*account).to_owned(),
            family: (*family).to_owned(),
            region: (*region).to_owned(),
            day: format!("{year}-{month}-{day}"),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(uri: &str) -> Option<[String; 4]> {
        Layout::of(uri).map(|it| [it.account, it.family, it.region, it.day])
    }

    #[test]
    fn the_layout_is_read_with_and_without_prefix_and_organization() {
        let expected = ["111122223333", "CloudTrail", "eu-central-1", "2026-01-15"];
        for start in ["s3://b/AWSLogs/", "s3://b/p/q/AWSLogs/o-abc123/", "/data/AWSLogs/"] {
            let uri = format!("{start}111122223333/CloudTrail/eu-central-1/2026/01/15/x.json.gz");
            assert_eq!(parts(&uri).unwrap(), expected, "{uri}");
        }
    }

    #[test]
    fn another_layout_is_none() {
        for uri in [
            "s3://b/x.json.gz",
            "s3://b/AWSLogs/111122223333/Config/eu-central-1/2026/1/5/ConfigHistory/x.gz",
            "s3://b/AWSLogs/111122223333/CloudTrail/eu-central-1/2026/01/x.json.gz",
        ] {
            assert_eq!(parts(uri), None, "{uri}");
        }
    }
}
