//! The device that networks run on. Beside `libtorch` the only file that calls LibTorch directly, so that
//! another Burn backend is a matter of these files and a feature.
//!
//! LibTorch keeps its thread count per calling thread, so whatever computes first calls
//! [`Runtime::bind_thread`]. The matrix library below it has one count for the process: all
//! runtimes of a process are best opened with the same number of threads.

use std::collections::BTreeSet;
use std::fmt;
use std::path::Path;
use std::str::FromStr;

use burn::tensor::Device;

use super::ModelError;

/// Which device is asked for: `auto`, `cpu`, `cuda` (the first) or `cuda:N`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum DeviceChoice {
    /// The first CUDA device where there is one, else the CPU.
    #[default]
    Auto,
    /// The CPU.
    Cpu,
    /// The CUDA device of that number.
    Cuda(usize),
}

impl FromStr for DeviceChoice {
    type Err = ModelError;

    fn from_str(text: &str) -> Result<Self, ModelError> {
        let unknown = || ModelError::UnknownDevice {
            found: text.to_owned(),
        };
        match text {
            "auto" => Ok(Self::Auto),
            "cpu" => Ok(Self::Cpu),
            "cuda" => Ok(Self::Cuda(0)),
            _ => {
                let index = text.strip_prefix("cuda:").ok_or_else(unknown)?;
                index.parse().map(Self::Cuda).map_err(|_| unknown())
            }
        }
    }
}

impl fmt::Display for DeviceChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Auto => f.write_str("auto"),
            Self::Cpu => f.write_str("cpu"),
            Self::Cuda(index) => write!(f, "cuda:{index}"),
        }
    }
}

/// An open device with what decides its arithmetic: its kind, the CPU type, the threads.
#[derive(Debug, Clone)]
pub struct Runtime {
    device: Device,
    choice: DeviceChoice,
    cpu_type: String,
    threads: usize,
    mixes_on_cpu: bool,
}

impl Runtime {
    /// Opens a device, and sets LibTorch's thread count where one is given.
    ///
    /// # Errors
    ///
    /// [`ModelError::NoCuda`] where a CUDA device is asked for and there is none of that number.
    pub fn open(choice: DeviceChoice, threads: Option<usize>) -> Result<Self, ModelError> {
        let available = cuda_devices();
        let choice = match choice {
            DeviceChoice::Auto if available > 0 => DeviceChoice::Cuda(0),
            DeviceChoice::Auto => DeviceChoice::Cpu,
            DeviceChoice::Cuda(index) if index >= available => {
                return Err(ModelError::NoCuda {
                    wanted: choice.to_string(),
                    available,
                });
            }
            chosen => chosen,
        };
        let runtime = Self {
            device: libtorch(choice),
            choice,
            cpu_type: cpu_type(),
            threads: threads.unwrap_or_else(libtorch_threads).max(1),
            mixes_on_cpu: false,
        };
        runtime.bind_thread();
        Ok(runtime)
    }

    /// Returns the kind of the device: `cpu` or `cuda`.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self.choice {
            DeviceChoice::Cuda(_) => "cuda",
            DeviceChoice::Auto | DeviceChoice::Cpu => "cpu",
        }
    }

    /// Returns the name of the device, as `--device` takes it: `cpu` or `cuda:N`.
    #[must_use]
    pub fn name(&self) -> String {
        self.choice.to_string()
    }

    /// Returns the model of the CPU and the vector instructions LibTorch uses on it; machines of
    /// one type round alike.
    #[must_use]
    pub fn cpu_type(&self) -> &str {
        &self.cpu_type
    }

    /// Returns what the device is sold as: the model of the CPU or of the GPU, as far as it can be known.
    #[must_use]
    pub fn model(&self) -> String {
        match self.choice {
            DeviceChoice::Cuda(_) => gpu_model(Path::new("/proc/driver/nvidia/gpus")),
            DeviceChoice::Auto | DeviceChoice::Cpu => cpu_name(),
        }
    }

    /// Returns the number of threads that LibTorch computes one operation with.
    #[must_use]
    pub fn threads(&self) -> usize {
        self.threads
    }

    /// Sets LibTorch's thread count for the calling thread.
    ///
    /// The count is read first: a thread's first use of LibTorch takes over the count that was
    /// set last in the process, also over one set for the thread before.
    pub(super) fn bind_thread(&self) {
        let _ = libtorch_threads();
        tch::set_num_threads(i32::try_from(self.threads).unwrap_or(i32::MAX));
    }

    /// Returns whether [`Precision::Mixed`](super::Precision::Mixed) is of use here.
    pub(super) fn multiplies_bfloat16(&self) -> bool {
        self.kind() == "cuda" || self.mixes_on_cpu
    }

    /// Lets mixed precision be tested where there is no GPU: LibTorch has `bfloat16` on the CPU too, only slower.
    #[cfg(test)]
    pub(super) fn mixing(self) -> Self {
        Self {
            mixes_on_cpu: true,
            ..self
        }
    }

    /// Returns Burn's device, without autodiff.
    pub(super) fn device(&self) -> &Device {
        &self.device
    }
}

#[expect(
    deprecated,
    reason = "Burn 0.22 is its last release with LibTorch, which this project stays on"
)]
fn libtorch(choice: DeviceChoice) -> Device {
    match choice {
        DeviceChoice::Cuda(index) => Device::libtorch_cuda(index),
        DeviceChoice::Auto | DeviceChoice::Cpu => Device::libtorch(),
    }
}

fn cuda_devices() -> usize {
    if tch::Cuda::is_available() {
        usize::try_from(tch::Cuda::device_count()).unwrap_or(0)
    } else {
        0
    }
}

fn libtorch_threads() -> usize {
    usize::try_from(tch::get_num_threads()).unwrap_or(1)
}

/// Model name of `/proc/cpuinfo` and the vector instructions.
fn cpu_type() -> String {
    format!("{} ({})", cpu_name(), cpu_capability())
}

fn cpu_name() -> String {
    std::fs::read_to_string("/proc/cpuinfo")
        .ok()
        .and_then(|text| cpu_model(&text).map(str::to_owned))
        .unwrap_or_else(|| std::env::consts::ARCH.to_owned())
}

/// The models of the GPUs that NVIDIA's driver lists. `tch` does not tell the name of a device, and CUDA may number the
/// devices otherwise than the driver: where they differ, all are named.
///
/// # Source
///
/// The driver's README, chapter "The /proc Interface".
fn gpu_model(gpus: &Path) -> String {
    let folders = std::fs::read_dir(gpus).into_iter().flatten().flatten();
    let models: BTreeSet<String> = folders
        .filter_map(|folder| std::fs::read_to_string(folder.path().join("information")).ok())
        .filter_map(|text| {
            let line = text.lines().find_map(|line| line.strip_prefix("Model:"));
            line.map(|model| model.trim().to_owned())
        })
        .collect();
    if models.is_empty() {
        return "unknown".to_owned();
    }
    models.into_iter().collect::<Vec<_>>().join(" or ")
}

fn cpu_model(cpuinfo: &str) -> Option<&str> {
    let line = cpuinfo
        .lines()
        .find(|line| line.starts_with("model name"))?;
    Some(line.split_once(':')?.1.trim())
}

/// The set of kernels that LibTorch picks on this CPU.
///
/// # Source
///
/// `compute_cpu_capability` in ATen's `DispatchStub.cpp`; `tch` does not expose it.
fn cpu_capability() -> String {
    if let Ok(forced) = std::env::var("ATEN_CPU_CAPABILITY") {
        return forced;
    }
    #[cfg(target_arch = "x86_64")]
    {
        let has_fma = std::arch::is_x86_feature_detected!("fma");
        if has_fma
            && std::arch::is_x86_feature_detected!("avx512f")
            && std::arch::is_x86_feature_detected!("avx512bw")
            && std::arch::is_x86_feature_detected!("avx512dq")
            && std::arch::is_x86_feature_detected!("avx512vl")
        {
            return "avx512".to_owned();
        }
        if has_fma && std::arch::is_x86_feature_detected!("avx2") {
            return "avx2".to_owned();
        }
    }
    "default".to_owned()
}

/// Whether a device, without autodiff, is the CPU.
pub(super) fn is_cpu(device: &Device) -> bool {
    *device == libtorch(DeviceChoice::Cpu)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn device_choices_are_written_as_they_are_read() {
        for text in ["auto", "cpu", "cuda:0", "cuda:3"] {
            assert_eq!(text.parse::<DeviceChoice>().unwrap().to_string(), text);
        }
        assert_eq!(
            "cuda".parse::<DeviceChoice>().unwrap(),
            DeviceChoice::Cuda(0)
        );
        for text in ["", "gpu", "cuda:", "cuda:-1", "cuda:x", "CPU"] {
            let error = text.parse::<DeviceChoice>().unwrap_err();
            assert!(matches!(error, ModelError::UnknownDevice { .. }), "{text}");
        }
    }

    #[test]
    fn the_cpu_opens_with_the_threads_asked_for() {
        let runtime = Runtime::open(DeviceChoice::Cpu, Some(1)).unwrap();
        assert_eq!(
            (runtime.kind(), runtime.name().as_str(), runtime.threads()),
            ("cpu", "cpu", 1)
        );
        assert_eq!(libtorch_threads(), 1);
        assert!(runtime.cpu_type().contains('('));
    }

    #[test]
    fn a_cuda_device_that_is_not_there_is_an_error() {
        let error = Runtime::open(DeviceChoice::Cuda(4096), None).unwrap_err();
        assert!(
            error.to_string().starts_with("no device cuda:4096:"),
            "{error}"
        );
    }

    #[test]
    fn auto_opens_what_there_is() {
        let expected = if cuda_devices() > 0 { "cuda" } else { "cpu" };
        let runtime = Runtime::open(DeviceChoice::Auto, Some(1)).unwrap();
        assert_eq!(runtime.kind(), expected);
    }

    #[test]
    fn gpus_are_named_as_the_driver_names_them() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(gpu_model(&folder.path().join("gpus")), "unknown");
        let driver_lists = |bus: &str, model: &str| {
            let gpu = folder.path().join("gpus").join(bus);
            std::fs::create_dir_all(&gpu).unwrap();
            let text = format!("Model: \t\t {model}\nIRQ:   \t\t 20\nGPU UUID: \t GPU-1\n");
            std::fs::write(gpu.join("information"), text).unwrap();
        };
        driver_lists("0000:04:00.0", "NVIDIA H100 80GB HBM3");
        driver_lists("0000:05:00.0", "NVIDIA H100 80GB HBM3");
        let named = || gpu_model(&folder.path().join("gpus"));
        assert_eq!(named(), "NVIDIA H100 80GB HBM3");
        driver_lists("0000:06:00.0", "NVIDIA A10");
        assert_eq!(named(), "NVIDIA A10 or NVIDIA H100 80GB HBM3");
    }

    #[test]
    fn the_cpu_model_is_read_from_cpuinfo() {
        let text = "processor\t: 0\nmodel name\t: Example CPU @ 2.00GHz\nflags\t: fma\n";
        assert_eq!(cpu_model(text), Some("Example CPU @ 2.00GHz"));
        assert_eq!(cpu_model("processor : 0\n"), None);
    }
}
