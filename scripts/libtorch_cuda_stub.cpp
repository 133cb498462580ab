// Stands in for libtorch_cuda.so on a machine without CUDA.
//
// burn-tch and torch-sys refer to these two functions when they are built beside a
// libtorch_cuda.so; the binary then needs a library of that soname at start. On a machine
// without CUDA it loads this one (found through the binary's run path), and LibTorch reports
// no CUDA device. Where the real library's folder comes first in the library path, the same
// binary loads that and CUDA works.
struct cublasContext;

namespace at {
namespace cuda {
cublasContext *getCurrentCUDABlasHandle() { return nullptr; }
int warp_size() { return 32; }
} // namespace cuda
} // namespace at
