//! Frames of Zstandard: a file may have any number of them, one after the other.

use std::{
    error::Error,
    io::{self, BufRead, ErrorKind, Read},
    iter,
};

use ruzstd::decoding::{
    BlockDecodingStrategy, FrameDecoder,
    errors::{FrameDecoderError, FrameHeaderError, ReadFrameHeaderError},
};

/// The contents of all frames of a stream.
pub(super) struct Frames<R> {
    source: R,
    decoder: FrameDecoder,
    /// A frame has begun, if only one to be skipped.
    is_any: bool,
    /// Nothing is read from the source any more.
    is_over: bool,
    /// Why there is no more, to be told once what was decoded is handed out.
    failed: Option<io::Error>,
}

/// Whether these up to four bytes can be the first ones of a frame, or of one to be skipped.
pub(super) fn begins(start: &[u8]) -> bool {
    let is = |magic: [u8; 4]| start.iter().zip(magic).all(|(byte, magic)| *byte == magic);
    is([0x28, 0xb5, 0x2f, 0xfd]) || (0x50..=0x5f).any(|first| is([first, 0x2a, 0x4d, 0x18]))
}

impl<R: BufRead> Read for Frames<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            let read = self.decoder.read(buffer)?;
            if read > 0 || buffer.is_empty() {
                return Ok(read);
            }
            if self.is_over {
                return self.failed.take().map_or(Ok(0), Err);
            }
            match self.go_on() {
                Ok(()) => {}
                Err(error) if error.kind() == ErrorKind::Interrupted => return Err(error),
                Err(error) => {
                    self.failed = Some(error);
                    self.is_over = true;
                }
            }
        }
    }
}

impl<R: BufRead> Frames<R> {
    pub(super) fn new(source: R) -> Self {
        let decoder = FrameDecoder::new();
        Self { source, decoder, is_any: false, is_over: false, failed: None }
    }

    fn go_on(&mut self) -> io::Result<()> {
        if !self.decoder.is_finished() {
            return self.block();
        }
        let decoder = &self.decoder;
        let told = decoder.get_checksum_from_data();
        if told.is_some() && told != decoder.get_calculated_checksum() {
            return Err(corrupt("its content is not what its checksum says"));
        }
        if !self.source.fill_buf()?.is_empty() {
            return self.frame();
        }
        self.is_over = true;
        if self.is_any { Ok(()) } else { Err(ErrorKind::UnexpectedEof.into()) }
    }

    /// Decodes the next block of a frame.
    fn block(&mut self) -> io::Result<()> {
        // Of a block at a time there is never more in memory than the frame's window and that block.
        let one = BlockDecodingStrategy::UptoBlocks(1);
        self.decoder.decode_blocks(&mut self.source, one).map(|_| ()).map_err(|error| {
            self.let_go();
            in_words(error)
        })
    }

    /// Has the decoder hand out its window, which it keeps until the frame's end.
    fn let_go(&mut self) {
        // The end: an empty block that says that it is the last, and a checksum, which nobody looks at then.
        let end = [1, 0, 0, 0, 0, 0, 0];
        // What cannot be had is not handed out.
        _ = self.decoder.decode_blocks(&end[..], BlockDecodingStrategy::UptoBlocks(1));
    }

    /// Begins with the next frame, or skips it if it is one to be skipped.
    fn frame(&mut self) -> io::Result<()> {
        match self.decoder.init(&mut self.source) {
            Ok(()) => {}
            Err(FrameDecoderError::ReadFrameHeaderError(ReadFrameHeaderError::SkipFrame {
                length,
                ..
            })) => self.skip(length.into())?,
            Err(error) => return Err(in_words(error)),
        }
        self.is_any = true;
        Ok(())
    }

    fn skip(&mut self, length: u64) -> io::Result<()> {
        let skipped = io::copy(&mut self.source.by_ref().take(length), &mut io::sink())?;
        if skipped < length { Err(ErrorKind::UnexpectedEof.into()) } else { Ok(()) }
    }
}

fn corrupt(why: &str) -> io::Error {
    io::Error::new(ErrorKind::InvalidData, why)
}

/// What is wrong, in words; what the decoder says is for its authors.
fn in_words(error: FrameDecoderError) -> io::Error {
    let unsupported = |why: String| io::Error::new(ErrorKind::Unsupported, why);
    match error {
        FrameDecoderError::WindowSizeTooBig { requested: size, .. }
        | FrameDecoderError::FrameHeaderError(FrameHeaderError::WindowTooBig { got: size }) => {
            let mib = size >> 20;
            unsupported(format!("needs a window of {mib} MiB to be unpacked, which is too much"))
        }
        FrameDecoderError::DictNotProvided { .. } => unsupported(
            "was packed with a dictionary; unpack it with 'zstd -d -D DICTIONARY'".to_owned(),
        ),
        FrameDecoderError::ReadFrameHeaderError(ReadFrameHeaderError::BadMagicNumber(_)) => {
            corrupt("has something behind a frame that is no frame")
        }
        error => match cause(&error) {
            Some(cause) => io::Error::new(cause.kind(), cause.to_string()),
            None => corrupt("is corrupt: a block cannot be unpacked"),
        },
    }
}

/// The error of the file itself, if it is one.
fn cause(error: &FrameDecoderError) -> Option<&io::Error> {
    let first: &(dyn Error + 'static) = error;
    iter::successors(Some(first), |error| (**error).source()).find_map(|error| error.downcast_ref())
}
