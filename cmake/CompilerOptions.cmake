# What every C++ file of the project is compiled with, as one interface target.
#
# The baseline never contracts a*b+c by itself (-ffp-contract=off) and never reorders sums (no -ffast-math): results must be
# equal to the bit across batch sizes and thread counts. Where a fused multiply-add is wanted, the code says so.
add_library(sfm_options INTERFACE)

if(MSVC)
  target_compile_options(sfm_options INTERFACE
    $<$<COMPILE_LANGUAGE:CXX>:/EHsc /utf-8 /permissive- /Zc:__cplusplus /fp:precise /W4 $<$<BOOL:${SFM_WERROR}>:/WX>>)
  target_compile_definitions(sfm_options INTERFACE NOMINMAX _USE_MATH_DEFINES)
else()
  target_compile_options(sfm_options INTERFACE
    $<$<COMPILE_LANGUAGE:CXX>:-fno-math-errno -ffp-contract=off -Wall -Wextra $<$<BOOL:${SFM_WERROR}>:-Werror>>)
endif()

if(SFM_SANITIZE)
  if(MSVC)
    message(FATAL_ERROR "SFM_SANITIZE needs GCC or Clang")
  endif()
  set(sanitizers -fsanitize=address,undefined)
  target_compile_options(sfm_options INTERFACE
    $<$<COMPILE_LANGUAGE:CXX>:${sanitizers} -fno-sanitize-recover=undefined -fno-omit-frame-pointer -g -O1>)
  target_link_options(sfm_options INTERFACE ${sanitizers})
endif()
