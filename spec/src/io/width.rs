//! In how many bytes a whole number is written: as few as the largest of its column needs.

/// One, two, four or eight bytes, little-endian.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Width {
    One,
    Two,
    Four,
    Eight,
}

impl Width {
    /// The least width for numbers up to `largest`.
    pub(super) fn of(largest: u64) -> Self {
        match largest {
            0..=0xff => Self::One,
            0x100..=0xffff => Self::Two,
            0x1_0000..=0xffff_ffff => Self::Four,
            _ => Self::Eight,
        }
    }

    /// The least width for the places in a list of so many.
    pub(super) fn of_places(count: usize) -> Self {
        Self::of(count.saturating_sub(1) as u64)
    }

    pub(super) fn bytes(self) -> u8 {
        match self {
            Self::One => 1,
            Self::Two => 2,
            Self::Four => 4,
            Self::Eight => 8,
        }
    }

    /// The width of so many bytes.
    pub(super) fn from_bytes(bytes: u8) -> Option<Self> {
        [Self::One, Self::Two, Self::Four, Self::Eight].into_iter().find(|width| width.bytes() == bytes)
    }
}
