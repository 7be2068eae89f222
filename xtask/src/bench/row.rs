//! What is measured.

use super::MIB;

/// The size of a small object.
pub(super) const SMALL: u64 = 4 << 10;
/// The size of a large one.
pub(super) const LARGE: u64 = 64 * MIB;
/// Keys in a page of a listing.
pub(super) const PAGE: u32 = 1000;

/// A row of the comparison: one kind of load.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Row {
    /// PUT of 4 KiB under new keys, one client.
    Put4k,
    /// PUT of 4 KiB under new keys, 64 clients.
    Put4k64,
    /// GET of 4 KiB, 64 clients.
    Get4k,
    /// PUT of 64 MiB, one client.
    Put64m,
    /// GET of 64 MiB, one client.
    Get64m,
    /// A page of 1000 keys out of the listed bucket, one client, page after page.
    List,
    /// 70 % GET, 20 % PUT of 4 KiB, 5 % pages of 1000 keys, 5 % DELETE; 32 clients.
    Mixed,
}

impl Row {
    pub(super) fn title(self) -> &'static str {
        match self {
            Self::Put4k => "PUT 4 KiB, 1 client",
            Self::Put4k64 => "PUT 4 KiB, 64 clients",
            Self::Get4k => "GET 4 KiB, 64 clients",
            Self::Put64m => "PUT 64 MiB, 1 client",
            Self::Get64m => "GET 64 MiB, 1 client",
            Self::List => "LIST 1000 keys, 1 client",
            Self::Mixed => "70 % GET, 20 % PUT, 5 % LIST, 5 % DELETE, 32 clients",
        }
    }

    pub(super) fn clients(self) -> usize {
        match self {
            Self::Put4k | Self::Put64m | Self::Get64m | Self::List => 1,
            Self::Mixed => 32,
            Self::Put4k64 | Self::Get4k => 64,
        }
    }

    /// The size of the bodies; of those in a listing, 0.
    pub(super) fn size(self) -> u64 {
        match self {
            Self::Put64m | Self::Get64m => LARGE,
            Self::List => 0,
            _ => SMALL,
        }
    }

    /// After how many operations a turn ends, however fast they were: what is written stays on the disk.
    pub(super) fn cap(self) -> u64 {
        if self == Self::Put64m { 4 } else { u64::MAX }
    }
}
