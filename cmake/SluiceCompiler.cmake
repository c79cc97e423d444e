# Compiler settings shared by every target.

set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_RUNTIME_OUTPUT_DIRECTORY "${CMAKE_BINARY_DIR}/bin")

find_program(SLUICE_CCACHE ccache)
if(SLUICE_CCACHE AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
  set(CMAKE_CXX_COMPILER_LAUNCHER "${SLUICE_CCACHE}")
endif()

find_program(SLUICE_MOLD mold)
if(SLUICE_MOLD)
  add_link_options(-fuse-ld=mold)
endif()

add_compile_options(
  -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wsign-conversion
  -Woverloaded-virtual
  # Paths in the binary and in ccache's keys are relative to the checkout.
  -ffile-prefix-map=${CMAKE_SOURCE_DIR}=.)
# hiredis wants the second; one set of definitions lets all rooms share a precompiled header.
add_compile_definitions(BOOST_ASIO_NO_DEPRECATED _FILE_OFFSET_BITS=64)
if(SLUICE_WERROR)
  add_compile_options(-Werror)
endif()
if(SLUICE_PCH AND CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  # ccache understands GCC's precompiled headers only with this.
  add_compile_options(-fpch-preprocess)
  if(NOT CMAKE_BUILD_TYPE STREQUAL "Debug")
    # GCC 12 warns of std::string's own copying when it comes from a precompiled header (PR 105651),
    # and of coroutine frames whose operators it inlines on one side alone.
    add_compile_options(-Wno-array-bounds -Wno-restrict -Wno-stringop-overflow
                        -Wno-mismatched-new-delete)
  endif()
endif()

if(CMAKE_BUILD_TYPE STREQUAL "Debug")
  # Line tables are enough for a backtrace and halve the object files.
  string(REPLACE "-g" "-g1" CMAKE_CXX_FLAGS_DEBUG "${CMAKE_CXX_FLAGS_DEBUG}")
else()
  string(REPLACE "-g" "-g1" CMAKE_CXX_FLAGS_RELWITHDEBINFO "${CMAKE_CXX_FLAGS_RELWITHDEBINFO}")
endif()

if(SLUICE_FAILPOINTS)
  add_compile_definitions(SLUICE_FAILPOINTS)
endif()

if(SLUICE_MUTATIONS)
  add_compile_definitions(SLUICE_MUTATIONS)
endif()

if(SLUICE_SANITIZE)
  add_compile_options(-fsanitize=${SLUICE_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all)
  add_link_options(-fsanitize=${SLUICE_SANITIZE})
  if(SLUICE_SANITIZE MATCHES "thread")
    # ThreadSanitizer does not model the fences of Asio's scheduler.
    add_compile_definitions(BOOST_ASIO_DISABLE_FENCED_BLOCK)
    add_compile_options(-Wno-tsan)
  endif()
endif()

# sluice_precompile(TARGET [OWN header...])
#
# Lets TARGET compile with the headers of cmake/pch.hpp already parsed. With OWN it makes a
# precompiled header of its own, which also has those; otherwise it shares the one of sluice_base.
function(sluice_precompile target)
  cmake_parse_arguments(ARG "" "" "OWN" ${ARGN})
  if(NOT SLUICE_PCH)
    return()
  endif()
  if(target STREQUAL "sluice_base" OR ARG_OWN)
    target_precompile_headers(${target} PRIVATE "${CMAKE_SOURCE_DIR}/cmake/pch.hpp" ${ARG_OWN})
  else()
    target_precompile_headers(${target} REUSE_FROM sluice_base)
  endif()
endfunction()
