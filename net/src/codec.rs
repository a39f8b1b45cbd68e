//! Requests and answers on the wire: four bytes of length, big-endian, then that many bytes. The length is
//! checked before anything is read, and memory grows with what arrives, not with what was claimed.

use std::io;

use futures::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use libp2p::StreamProtocol;
use libp2p::request_response;

use crate::limits::REQUEST_BYTES_MAX;

/// The codec; it has no settings.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct FrameCodec;

/// Memory set aside before the first byte of a message is there.
const FIRST_RESERVE: usize = 4 * 1024;

/// Reads one frame. What follows it is not looked at.
async fn read_frame<T: AsyncRead + Unpin + Send>(io: &mut T) -> io::Result<Vec<u8>> {
    let mut length = [0; 4];
    io.read_exact(&mut length).await?;
    let length = u32::from_be_bytes(length) as usize;
    if length > REQUEST_BYTES_MAX {
        return Err(io::Error::new(
            io::ErrorKind::InvalidData,
            format!("a message of {length} bytes was announced; {REQUEST_BYTES_MAX} are allowed"),
        ));
    }
    let mut bytes = Vec::with_capacity(length.min(FIRST_RESERVE));
    io.take(length as u64).read_to_end(&mut bytes).await?;
    if bytes.len() < length {
        return Err(io::Error::new(
            io::ErrorKind::UnexpectedEof,
            format!("a message of {length} bytes ended after {} bytes", bytes.len()),
        ));
    }
    Ok(bytes)
}

/// Writes one frame.
async fn write_frame<T: AsyncWrite + Unpin + Send>(io: &mut T, bytes: &[u8]) -> io::Result<()> {
    let length = u32::try_from(bytes.len()).ok().filter(|_| bytes.len() <= REQUEST_BYTES_MAX);
    let Some(length) = length else {
        return Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            format!("a message of {} bytes; {REQUEST_BYTES_MAX} are allowed", bytes.len()),
        ));
    };
    io.write_all(&length.to_be_bytes()).await?;
    io.write_all(bytes).await
}

impl request_response::Codec for FrameCodec {
    type Protocol = StreamProtocol;
    type Request = Vec<u8>;
    type Response = Vec<u8>;

    async fn read_request<T>(&mut self, _: &StreamProtocol, io: &mut T) -> io::Result<Vec<u8>>
    where
        T: AsyncRead + Unpin + Send,
    {
        read_frame(io).await
    }

    async fn read_response<T>(&mut self, _: &StreamProtocol, io: &mut T) -> io::Result<Vec<u8>>
    where
        T: AsyncRead + Unpin + Send,
    {
        read_frame(io).await
    }

    async fn write_request<T>(&mut self, _: &StreamProtocol, io: &mut T, request: Vec<u8>) -> io::Result<()>
    where
        T: AsyncWrite + Unpin + Send,
    {
        write_frame(io, &request).await
    }

    async fn write_response<T>(&mut self, _: &StreamProtocol, io: &mut T, answer: Vec<u8>) -> io::Result<()>
    where
        T: AsyncWrite + Unpin + Send,
    {
        write_frame(io, &answer).await
    }
}

#[cfg(test)]
mod tests {
    use futures::executor::block_on;
    use futures::io::Cursor;

    use super::*;

    /// What can be wrong with the bytes of a message.
    #[derive(Debug, Clone, Copy)]
    enum Fault {
        /// The stream ends before the first byte.
        Nothing,
        /// It ends inside the length.
        CutLength,
        /// It ends inside the message.
        CutMessage,
        /// It ends right after the length.
        OnlyLength,
        /// One byte more than allowed is announced.
        JustTooLong,
        /// As much as four bytes can say is announced.
        FarTooLong,
    }

    impl Fault {
        const ALL: [Self; 6] = [
            Self::Nothing,
            Self::CutLength,
            Self::CutMessage,
            Self::OnlyLength,
            Self::JustTooLong,
            Self::FarTooLong,
        ];

        fn bytes(self) -> Vec<u8> {
            match self {
                Self::Nothing => vec![],
                Self::CutLength => vec![0, 0, 0],
                Self::CutMessage => vec![0, 0, 0, 4, b'a', b'b', b'c'],
                Self::OnlyLength => vec![0, 4, 0, 0],
                Self::JustTooLong => {
                    let mut bytes = (REQUEST_BYTES_MAX as u32 + 1).to_be_bytes().to_vec();
                    bytes.resize(4 + REQUEST_BYTES_MAX + 1, 7);
                    bytes
                }
                Self::FarTooLong => vec![0xff, 0xff, 0xff, 0xff, 1, 2, 3],
            }
        }

        fn expected(self) -> (io::ErrorKind, &'static str) {
            match self {
                Self::Nothing | Self::CutLength => (io::ErrorKind::UnexpectedEof, ""),
                Self::CutMessage => (io::ErrorKind::UnexpectedEof, "4 bytes ended after 3 bytes"),
                Self::OnlyLength => (io::ErrorKind::UnexpectedEof, "262144 bytes ended after 0 bytes"),
                Self::JustTooLong => (io::ErrorKind::InvalidData, "262145 bytes was announced"),
                Self::FarTooLong => (io::ErrorKind::InvalidData, "4294967295 bytes was announced"),
            }
        }
    }

    #[test]
    fn every_fault_is_an_error_that_says_what_is_wrong() {
        for fault in Fault::ALL {
            let mut io = Cursor::new(fault.bytes());
            let error = block_on(read_frame(&mut io)).unwrap_err();
            let (kind, text) = fault.expected();
            assert_eq!(error.kind(), kind, "{fault:?}");
            assert!(error.to_string().contains(text), "{fault:?}: {error}");
            if kind == io::ErrorKind::InvalidData {
                assert_eq!(io.position(), 4, "{fault:?}: nothing is read after a length that is too large");
            }
        }
    }

    #[test]
    fn messages_round_trip_from_none_to_the_largest() {
        for size in [0, 1, 4096, 4097, REQUEST_BYTES_MAX] {
            let message = vec![5; size];
            let mut wire = Vec::new();
            block_on(write_frame(&mut wire, &message)).unwrap();
            assert_eq!(wire.len(), 4 + size);
            assert_eq!(block_on(read_frame(&mut Cursor::new(wire))).unwrap(), message);
        }
    }

    #[test]
    fn the_wire_format_is_pinned() {
        let mut wire = Vec::new();
        block_on(write_frame(&mut wire, b"abc")).unwrap();
        assert_eq!(wire, [0, 0, 0, 3, b'a', b'b', b'c']);
    }

    #[test]
    fn nothing_too_large_is_written() {
        let mut wire = Vec::new();
        let error = block_on(write_frame(&mut wire, &vec![0; REQUEST_BYTES_MAX + 1])).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
        assert!(wire.is_empty());
    }
}
