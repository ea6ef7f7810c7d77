# The CUDA backend: native/cuda/*.cu, compiled in when SFM_CUDA asks for it. The runtime is linked statically, so that the same
# binary loads on a machine without a driver, finds no device there, and leaves the work to the CPU.

# "development": one architecture and its PTX, which compiles quickly and runs on that generation and later ones.
# "release": every generation since Turing (cuda-architectures.txt), and PTX for those to come. Or a list as for
# CMAKE_CUDA_ARCHITECTURES.
set(SFM_CUDA_ARCHITECTURES development CACHE STRING "CUDA architectures: development, release, or a list")

if(NOT SFM_CUDA MATCHES "^(AUTO|ON|OFF)$")
  message(FATAL_ERROR "SFM_CUDA must be AUTO, ON or OFF, not ${SFM_CUDA}")
endif()

set(cuda_sources)
if(NOT SFM_CUDA STREQUAL OFF)
  file(GLOB cuda_sources CONFIGURE_DEPENDS native/cuda/*.cu)
endif()
# Why the backend cannot be built: an error where it is required, else the CPU backend alone.
macro(sfm_without_cuda why)
  if(SFM_CUDA STREQUAL ON)
    message(FATAL_ERROR "SFM_CUDA=ON, but ${why}")
  endif()
  message(STATUS "sphere-face-model: ${why}; building the CPU backend alone")
  set(cuda_sources)
endmacro()

if(cuda_sources)
  find_program(SFM_NVCC nvcc HINTS ENV CUDA_PATH ENV CUDA_HOME PATHS /usr/local/cuda PATH_SUFFIXES bin)
  if(NOT SFM_NVCC)
    sfm_without_cuda("nvcc is neither in PATH nor under CUDA_PATH, CUDA_HOME or /usr/local/cuda")
  else()
    execute_process(COMMAND ${SFM_NVCC} --version OUTPUT_VARIABLE nvcc_version ERROR_QUIET)
    string(REGEX MATCH "release ([0-9.]+)" _ "${nvcc_version}")
    if(CMAKE_MATCH_1 VERSION_LESS 12.0)
      sfm_without_cuda("${SFM_NVCC} is of CUDA ${CMAKE_MATCH_1}, and C++20 needs 12.0")
    endif()
  endif()
endif()

if(cuda_sources AND NOT CMAKE_CUDA_COMPILER)
  # Asks in a project of its own, where a failure is no error: nvcc takes few host compilers.
  set(ENV{CUDACXX} ${SFM_NVCC})
  include(CheckLanguage)
  check_language(CUDA)
  if(NOT CMAKE_CUDA_COMPILER)
    sfm_without_cuda("${SFM_NVCC} does not work with this C++ compiler")
  endif()
endif()

if(cuda_sources)
  # Both must be known before the language is enabled, and that must happen at file scope.
  set(CMAKE_CUDA_COMPILER ${SFM_NVCC})
  if(SFM_CUDA_ARCHITECTURES STREQUAL development)
    set(CMAKE_CUDA_ARCHITECTURES 90)
  elseif(SFM_CUDA_ARCHITECTURES STREQUAL release)
    file(STRINGS ${CMAKE_SOURCE_DIR}/cmake/cuda-architectures.txt CMAKE_CUDA_ARCHITECTURES)
    list(POP_BACK CMAKE_CUDA_ARCHITECTURES latest)
    list(TRANSFORM CMAKE_CUDA_ARCHITECTURES APPEND -real)
    list(APPEND CMAKE_CUDA_ARCHITECTURES ${latest})
  else()
    set(CMAKE_CUDA_ARCHITECTURES ${SFM_CUDA_ARCHITECTURES})
  endif()
  enable_language(CUDA)
  if(CMAKE_VERSION VERSION_LESS 3.26)  # these versions do not know that nvcc 12 and later speak C++20
    set(CMAKE_CUDA20_STANDARD_COMPILE_OPTION -std=c++20)
    set(CMAKE_CUDA20_EXTENSION_COMPILE_OPTION -std=c++20)
  endif()
  set(CMAKE_CUDA_STANDARD 20)
  set(CMAKE_CUDA_STANDARD_REQUIRED ON)
  set(CMAKE_CUDA_VISIBILITY_PRESET hidden)
  # Linked by name, so that the linker is the C++ compiler's, with its options.
  set(CMAKE_CUDA_RUNTIME_LIBRARY None)
  set(CUDAToolkit_NVCC_EXECUTABLE ${SFM_NVCC})
  find_package(CUDAToolkit REQUIRED)
endif()

# The library of the backend: kernels and host code, or without nvcc what says that there are no devices.
function(sfm_add_cuda target)
  file(GLOB host_sources CONFIGURE_DEPENDS native/cuda/*.cpp)
  set(stand_in ${CMAKE_SOURCE_DIR}/native/cuda/NoCuda.cpp)
  list(REMOVE_ITEM host_sources ${stand_in})
  if(NOT cuda_sources)
    add_library(${target} STATIC ${stand_in})
    target_link_libraries(${target} PUBLIC sfm_core)
    return()
  endif()
  add_library(${target} STATIC ${host_sources} ${cuda_sources})
  target_link_libraries(${target} PUBLIC sfm_core CUDA::cudart_static)
  target_compile_options(${target} PRIVATE
    $<$<COMPILE_LANGUAGE:CUDA>:-Xcompiler=-fno-math-errno,-Wall,-Wextra $<$<BOOL:${SFM_WERROR}>:-Werror=all-warnings>>)
  target_compile_definitions(${target} PUBLIC SFM_HAS_CUDA=1)
endfunction()
