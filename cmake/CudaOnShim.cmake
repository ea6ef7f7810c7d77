# The CUDA backend without CUDA, for the tests: its kernels through test/shim/Cuda.h, its host code on the runtime of
# test/shim/runtime, which stands before any other.
function(sfm_add_cuda_on_shim target)
  file(GLOB shim_sources CONFIGURE_DEPENDS native/test/shim/*.cpp)
  file(GLOB host_sources CONFIGURE_DEPENDS native/cuda/*.cpp)
  list(FILTER host_sources EXCLUDE REGEX "/NoCuda\\.cpp$")
  file(GLOB device_sources CONFIGURE_DEPENDS native/cuda/*.cu)
  foreach(source IN LISTS device_sources)
    get_filename_component(name ${source} NAME_WE)
    set(wrapper ${CMAKE_BINARY_DIR}/shim/${name}.cpp)
    file(CONFIGURE OUTPUT ${wrapper}
      CONTENT "#include \"test/shim/Cuda.h\"\n#include \"test/shim/FakeRuntime.h\"\n\n#include \"cuda/${name}.cu\"\n")
    list(APPEND wrappers ${wrapper})
  endforeach()
  add_library(${target} STATIC ${shim_sources} ${host_sources} ${wrappers})
  target_include_directories(${target} BEFORE PUBLIC native/test/shim/runtime)
  # `unroll` says nothing to a host compiler.
  target_compile_options(${target} PUBLIC -Wno-unknown-pragmas)
  target_compile_definitions(${target} PUBLIC SFM_CUDA_ON_SHIM=1)
  target_link_libraries(${target} PUBLIC sfm_core)
endfunction()
