//! The other side, in a process of its own.

use crate::Arguments;
use crate::cases::Case;
use std::error::Error;
use std::io::{BufRead, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

/// `scripts/train_torch.py` at work.
pub struct Peer {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Peer {
    pub fn start(
        case: &Case,
        folder: &Path,
        arguments: &Arguments,
    ) -> Result<Self, Box<dyn Error>> {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/train_torch.py");
        let mut command = Command::new("python3");
        command.arg(script).arg(case.name).arg(folder);
        command.args(["--threads", &arguments.threads.to_string()]);
        command.args(["--device", &arguments.device]);
        if arguments.mixed {
            command.arg("--mixed");
        }
        if arguments.cpu_time {
            command.arg("--cpu-time");
        }
        let mut child = command
            // Ours is one of ours: LibTorch's other copy.
            .env_remove("LD_LIBRARY_PATH")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let input = child.stdin.take().ok_or("no standard input")?;
        let output = BufReader::new(child.stdout.take().ok_or("no standard output")?);
        let mut peer = Self {
            child,
            input,
            output,
        };
        match peer.line()?.as_str() {
            "ready" => Ok(peer),
            other => Err(format!("train_torch.py says {other:?}").into()),
        }
    }

    /// Says a line and returns the answer.
    pub fn ask(&mut self, line: &str) -> Result<String, Box<dyn Error>> {
        writeln!(self.input, "{line}")?;
        self.input.flush()?;
        let answer = self.line()?;
        if answer.is_empty() {
            return Err(format!("train_torch.py has no answer to {line:?}").into());
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
            Err("train_torch.py failed".into())
        }
    }
}
