//! Names the formats that people mistake for CloudTrail's: gzip with JSON inside.

use std::fmt;

/// A format that is recognised by its first bytes, and cannot be imported.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Gzip; in bytes that were decoded from gzip.
    Gzip,
    /// Zip.
    Zip,
    /// Zstandard.
    Zstd,
    /// Bzip2.
    Bzip2,
    /// Xz.
    Xz,
    /// A tar archive.
    Tar,
    /// Parquet.
    Parquet,
    /// JSON in UTF-16, as PowerShell before version 6 writes it.
    Utf16,
}

/// Formats by their first bytes.
const MAGIC: [(&[u8], Format); 9] = [
    (b"\x1f\x8b", Format::Gzip),
    (b"PK\x03\x04", Format::Zip),
    (b"PK\x05\x06", Format::Zip),
    (b"\x28\xb5\x2f\xfd", Format::Zstd),
    (b"BZh", Format::Bzip2),
    (b"\xfd7zXZ\0", Format::Xz),
    (b"PAR1", Format::Parquet),
    (b"\xff\xfe", Format::Utf16),
    (b"\xfe\xff", Format::Utf16),
];

/// Where a tar archive has `ustar` (POSIX.1-2008, pax, "ustar Interchange Format").
const TAR_MAGIC_OFFSET: usize = 257;

impl Format {
    /// Returns the format of bytes that are not gzip, or that were decoded from it.
    pub fn of(bytes: &[u8]) -> Option<Self> {
        let magic = MAGIC.iter().find(|(magic, _)| bytes.starts_with(magic));
        if let Some((_, format)) = magic {
            return Some(*format);
        }
        match bytes {
            [b'{' | b'[', 0, ..] | [0, b'{' | b'[', ..] => Some(Self::Utf16),
            _ if bytes.get(TAR_MAGIC_OFFSET..).is_some_and(|rest| rest.starts_with(b"ustar")) => {
                Some(Self::Tar)
            }
            _ => None,
        }
    }

    /// Returns what the user can do.
    pub fn advice(self) -> &'static str {
        match self {
            Self::Gzip => "unpack it once",
            Self::Zip | Self::Tar => "unpack it, and import the files inside",
            Self::Zstd | Self::Bzip2 | Self::Xz => "unpack it first, or compress it with gzip",
            Self::Parquet => "import the logs that it was made from",
            Self::Utf16 => "convert it to UTF-8, such as with `iconv -f UTF-16 -t UTF-8`",
        }
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Gzip => "gzip data inside gzip data",
            Self::Zip => "a zip archive",
            Self::Zstd => "zstd data",
            Self::Bzip2 => "bzip2 data",
            Self::Xz => "xz data",
            Self::Tar => "a tar archive",
            Self::Parquet => "a Parquet file",
            Self::Utf16 => "text in UTF-16",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_format_is_recognised_and_json_is_not_taken_for_one() {
        let tar = [&[b'x'; TAR_MAGIC_OFFSET][..], b"ustar\x0000"].concat();
        for (bytes, expected) in [
            (&b"\x1f\x8b\x08"[..], Some(Format::Gzip)),
            (b"PK\x03\x04\x14", Some(Format::Zip)),
            (b"\x28\xb5\x2f\xfd\x04", Some(Format::Zstd)),
            (b"BZh91AY", Some(Format::Bzip2)),
            (b"\xfd7zXZ\0\0", Some(Format::Xz)),
            (&tar, Some(Format::Tar)),
            (b"PAR1\x15", Some(Format::Parquet)),
            (b"\xff\xfe{\0", Some(Format::Utf16)),
            (b"\xfe\xff\0{", Some(Format::Utf16)),
            (b"{\0\r\0", Some(Format::Utf16)),
            (b"\0[\0{", Some(Format::Utf16)),
            (b"{\"Records\":[]}", None),
            (b"[]", None),
            (b"\xef\xbb\xbf{}", None),
            (b"", None),
            (b"hello", None),
        ] {
            assert_eq!(Format::of(bytes), expected, "{}", bytes.escape_ascii());
        }
    }
}
