//! Just enough of HTTP/1.1 to pass messages on unchanged: heads as bytes, bodies by `Content-Length`, in chunks, or up to the end.

use std::io::{self, BufRead, Read, Write};

/// Longest head that is read.
const LONGEST_HEAD: usize = 1 << 20;

/// The first line and the headers of a message, as they came.
#[derive(Clone, Debug)]
pub struct Head {
    lines: Vec<String>,
}

/// How the end of a body is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    /// So many bytes, maybe none.
    Length(u64),
    /// Chunks with their sizes.
    Chunks,
    /// The connection's end.
    Close,
}

impl Head {
    /// Reads a head; `None` where the connection ends before its first byte.
    ///
    /// # Errors
    ///
    /// Where the connection fails or ends in the middle, or a head is no text.
    pub fn read(from: &mut impl BufRead) -> io::Result<Option<Self>> {
        let mut lines = Vec::new();
        let mut size = 0;
        loop {
            let mut line = String::new();
            size += from
                .by_ref()
                .take(LONGEST_HEAD as u64)
                .read_line(&mut line)?;
            if line.is_empty() && lines.is_empty() {
                return Ok(None);
            }
            let Some(text) = line.strip_suffix("\r\n").filter(|_| size < LONGEST_HEAD) else {
                return Err(io::Error::new(
                    io::ErrorKind::UnexpectedEof,
                    "a head without end",
                ));
            };
            if text.is_empty() {
                return Ok(Some(Self { lines }));
            }
            lines.push(text.to_owned());
        }
    }

    /// The words of the first line: method, path, version; or version, status, reason.
    pub fn word(&self, index: usize) -> &str {
        self.lines[0].splitn(3, ' ').nth(index).unwrap_or("")
    }

    /// The status of an answer; 0 where there is none.
    pub fn status(&self) -> u16 {
        self.word(1).parse().unwrap_or(0)
    }

    /// The value of a header, whatever its case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.lines[1..].iter().find_map(|line| {
            let (found, value) = line.split_once(':')?;
            found.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }

    /// Whether a header holds this word in its list.
    pub fn says(&self, name: &str, word: &str) -> bool {
        self.header(name).is_some_and(|value| {
            value
                .split(',')
                .any(|item| item.trim().eq_ignore_ascii_case(word))
        })
    }

    /// How the body of a request ends.
    pub fn request_framing(&self) -> Framing {
        self.declared().unwrap_or(Framing::Length(0))
    }

    /// How the body of an answer to a request with this method ends.
    pub fn answer_framing(&self, method: &str) -> Framing {
        let status = self.status();
        if method == "HEAD" || status < 200 || status == 204 || status == 304 {
            return Framing::Length(0);
        }
        self.declared().unwrap_or(Framing::Close)
    }

    fn declared(&self) -> Option<Framing> {
        if self.says("transfer-encoding", "chunked") {
            return Some(Framing::Chunks);
        }
        self.header("content-length")?
            .parse()
            .ok()
            .map(Framing::Length)
    }

    /// Adds the length of a body that had none.
    pub fn declare_length(&mut self, length: usize) {
        self.lines.push(format!("content-length: {length}"));
    }

    /// The head as it came.
    pub fn bytes(&self) -> Vec<u8> {
        let mut text = self.lines.join("\r\n");
        text.push_str("\r\n\r\n");
        text.into_bytes()
    }
}

/// Passes a body on as it comes: chunks stay the same chunks.
///
/// # Errors
///
/// Where either side fails, or the body ends early.
pub fn pass_body(framing: Framing, from: &mut impl BufRead, to: &mut impl Write) -> io::Result<()> {
    match framing {
        Framing::Length(length) => {
            let passed = io::copy(&mut from.take(length), to)?;
            if passed < length {
                return Err(io::Error::new(
                    io::ErrorKind::UnexpectedEof,
                    "a body that ends early",
                ));
            }
        }
        Framing::Close => {
            io::copy(from, to)?;
        }
        Framing::Chunks => loop {
            let size = pass_line(from, to)?;
            let size = size.split(';').next().unwrap_or("").trim();
            let size = u64::from_str_radix(size, 16)
                .map_err(|_| io::Error::new(io::ErrorKind::InvalidData, "no size of a chunk"))?;
            if size == 0 {
                // Trailers, up to an empty line.
                while !pass_line(from, to)?.is_empty() {}
                break;
            }
            pass_body(Framing::Length(size), from, to)?;
            pass_line(from, to)?;
        },
    }
    to.flush()
}

fn pass_line(from: &mut impl BufRead, to: &mut impl Write) -> io::Result<String> {
    let mut line = String::new();
    from.read_line(&mut line)?;
    if !line.ends_with('\n') {
        return Err(io::Error::new(
            io::ErrorKind::UnexpectedEof,
            "a chunk that ends early",
        ));
    }
    to.write_all(line.as_bytes())?;
    Ok(line.trim_end().to_owned())
}
