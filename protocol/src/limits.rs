//! Every size and every count that a peer may send, in one place, each with its reason. All are checked before the
//! thing is decoded, or while it is, never after.

/// An address as text. The longest multiaddr in use (relay, two peers, a DNS name) is well below.
pub const ADDRESS_BYTES: usize = 256;

/// Addresses in one record: some interfaces times some transports.
pub const ADDRESSES: usize = 16;

/// What an envelope adds to its payload: keys, kind, run, signer, signature and the heads of them (193 with the
/// longest kind).
pub const ENVELOPE_OVERHEAD: usize = 256;

/// A record that is a few numbers and hashes, as an envelope.
pub const SMALL_RECORD_BYTES: usize = 512;

/// A record with addresses, as an envelope: 16 of 256 bytes and what is around them.
pub const ADDRESS_RECORD_BYTES: usize = ADDRESSES * (ADDRESS_BYTES + 3) + ENVELOPE_OVERHEAD + 256;
