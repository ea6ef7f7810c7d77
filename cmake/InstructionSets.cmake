# Files named *_<set>.cpp are compiled for that instruction set, and only where the processor family has it; all others are
# compiled for the baseline. Which one runs is decided at run time.
#
# Each set is an object library of its own, which lets a test look at its symbols: an inline function of a shared header that
# is compiled here for AVX-512 as well as elsewhere for the baseline has two bodies under one name, the linker keeps either,
# and a machine without AVX-512 may then crash in code that looks innocent. So these files must define no weak symbols.
include(CheckCXXSourceCompiles)

# Asks the compiler, not CMAKE_SYSTEM_PROCESSOR, which names the build machine even when the target is another.
check_cxx_source_compiles("
  #if !defined(__x86_64__) && !defined(_M_X64)
  #error
  #endif
  int main() { return 0; }" SFM_X86_64)
check_cxx_source_compiles("
  #if !defined(__aarch64__) && !defined(_M_ARM64)
  #error
  #endif
  int main() { return 0; }" SFM_ARM64)

# Tiles are asked of the operating system, which is done for Linux alone; and compilers learned of them late.
if(SFM_X86_64 AND CMAKE_SYSTEM_NAME STREQUAL Linux)
  set(CMAKE_REQUIRED_FLAGS "-mamx-tile -mamx-bf16")
  check_cxx_source_compiles("
    int main() { __asm__ volatile(\"tdpbf16ps %%tmm2, %%tmm1, %%tmm0\" ::); return 0; }" SFM_AMX)
  unset(CMAKE_REQUIRED_FLAGS)
endif()
if(SFM_AMX)
  target_compile_definitions(sfm_options INTERFACE SFM_AMX)
endif()

set(sfm_instruction_sets avx2 avx512 avx512bf16 amx neon)
if(MSVC)
  set(sfm_flags_avx2 /arch:AVX2)
  set(sfm_flags_avx512 /arch:AVX512)
  set(sfm_flags_avx512bf16 ${sfm_flags_avx512})
else()
  set(sfm_flags_avx2 -mavx2 -mfma -mf16c)
  set(sfm_flags_avx512 -mavx512f -mavx512bw -mavx512dq -mavx512vl -mfma -mf16c)
  set(sfm_flags_avx512bf16 ${sfm_flags_avx512} -mavx512bf16)
  set(sfm_flags_amx ${sfm_flags_avx512} -mamx-tile -mamx-bf16)
endif()
if(CMAKE_CXX_COMPILER_ID STREQUAL GNU AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 13)
  # The intrinsics of these GCCs warn about themselves: they start from undefined vectors on purpose.
  foreach(set avx2 avx512 avx512bf16 amx)
    list(APPEND sfm_flags_${set} -Wno-uninitialized -Wno-maybe-uninitialized)
  endforeach()
endif()
set(sfm_flags_neon "")  # NEON is arm64's baseline
set(sfm_available_avx2 ${SFM_X86_64})
set(sfm_available_avx512 ${SFM_X86_64})
set(sfm_available_avx512bf16 ${SFM_X86_64})
set(sfm_available_amx ${SFM_AMX})
set(sfm_available_neon ${SFM_ARM64})

# Moves the files of every instruction set out of the list of sources, into <list>_<set>.
macro(sfm_take_instruction_set_sources list)
  foreach(set IN LISTS sfm_instruction_sets)
    set(${list}_${set} ${${list}})
    list(FILTER ${list}_${set} INCLUDE REGEX "_${set}\\.cpp$")
    list(FILTER ${list} EXCLUDE REGEX "_${set}\\.cpp$")
  endforeach()
endmacro()

# Adds the files taken out of `list` to the target, each set as the object library <target>_<set>.
function(sfm_add_instruction_sets target list)
  foreach(set IN LISTS sfm_instruction_sets)
    if(sfm_available_${set} AND ${list}_${set})
      add_library(${target}_${set} OBJECT ${${list}_${set}})
      target_include_directories(${target}_${set} PRIVATE native)
      target_link_libraries(${target}_${set} PRIVATE sfm_options)
      target_compile_options(${target}_${set} PRIVATE ${sfm_flags_${set}})
      target_sources(${target} PRIVATE $<TARGET_OBJECTS:${target}_${set}>)
    endif()
  endforeach()
endfunction()

# One test per instruction set that the target's objects for it define no weak symbols (see above). Sanitizers add weak symbols
# of their own.
function(sfm_test_instruction_sets target)
  if(NOT CMAKE_NM OR NOT CMAKE_SYSTEM_NAME STREQUAL Linux OR SFM_SANITIZE)
    return()
  endif()
  foreach(set IN LISTS sfm_instruction_sets)
    if(TARGET ${target}_${set})
      add_test(NAME no_weak_symbols_${target}_${set}
        COMMAND ${CMAKE_COMMAND} -DNM=${CMAKE_NM} "-DOBJECTS=$<TARGET_OBJECTS:${target}_${set}>"
                -P ${CMAKE_SOURCE_DIR}/cmake/NoWeakSymbols.cmake)
    endif()
  endforeach()
endfunction()
