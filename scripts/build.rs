//! Lets the binary find the LibTorch that it was built with.
//!
//! A run path (not an `RPATH`), so that `LD_LIBRARY_PATH` comes first: that is how the same binary loads the real
//! CUDA library where there is one.

fn main() {
    println!("cargo:rerun-if-env-changed=LIBTORCH");
    if let Ok(libtorch) = std::env::var("LIBTORCH") {
        println!("cargo:rustc-link-arg=-Wl,--enable-new-dtags,-rpath,{libtorch}/lib");
    }
}
