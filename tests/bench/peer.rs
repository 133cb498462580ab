//! The other side of a comparison: a Python script, in a process of its own.
//!
//! It says `ready` once it is, and then answers each line with a line; it ends when its input does.

use std::error::Error;
use std::io::{BufRead, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

/// A script at work.
pub struct Peer {
    script: &'static str,
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Peer {
    /// Starts a script of this package, and waits until it is ready.
    pub fn start(script: &'static str, arguments: &[String]) -> Result<Self, Box<dyn Error>> {
        let mut child = Command::new("python3")
            .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join(script))
            .args(arguments)
            // Ours is one of ours: LibTorch's other copy.
            .env_remove("LD_LIBRARY_PATH")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let input = child.stdin.take().ok_or("no standard input")?;
        let output = BufReader::new(child.stdout.take().ok_or("no standard output")?);
        let mut peer = Self {
            script,
            child,
            input,
            output,
        };
        let line = peer.line()?;
        if line.starts_with("ready") {
            Ok(peer)
        } else {
            Err(format!("{script} says {line:?}").into())
        }
    }

    /// Says a line and returns the answer.
    pub fn ask(&mut self, line: &str) -> Result<String, Box<dyn Error>> {
        writeln!(self.input, "{line}")?;
        self.input.flush()?;
        let answer = self.line()?;
        if answer.is_empty() {
            return Err(format!("{} has no answer to {line:?}", self.script).into());
        }
        Ok(answer)
    }

    fn line(&mut self) -> Result<String, Box<dyn Error>> {
        let mut line = String::new();
        self.output.read_line(&mut line)?;
        Ok(line.trim().to_owned())
    }

    pub fn finish(mut self) -> Result<(), Box<dyn Error>> {
        drop(self.input);
        if self.child.wait()?.success() {
            Ok(())
        } else {
            Err(format!("{} failed", self.script).into())
        }
    }
}
