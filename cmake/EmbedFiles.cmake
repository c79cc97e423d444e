# Writes OUT.hpp and OUT.cpp that hold the FILES of FOLDER as string views in NAMESPACE (see
# SluiceEmbed.cmake).
get_filename_component(stem "${OUT}" NAME)
file(WRITE "${OUT}.hpp" "#pragma once
#include <span>
#include <string_view>

namespace ${NAMESPACE} {

/// The embedded file of that name; empty when there is none.
std::string_view file(std::string_view name);

/// The names of all embedded files, sorted.
std::span<const std::string_view> names();

}  // namespace ${NAMESPACE}
")

set(body "")
set(names "")
set(table "")
list(LENGTH FILES count)
set(index 0)
foreach(path IN LISTS FILES)
  get_filename_component(name "${path}" NAME)
  file(READ "${path}" hex HEX)
  # Bytes as characters: a string literal is limited to 64 KiB by the standard.
  string(REGEX REPLACE "([0-9a-f][0-9a-f])" "'\\\\x\\1'," bytes "${hex}")
  string(APPEND body "const char data_${index}[] = {${bytes}'\\0'};\n")
  string(APPEND names "    \"${name}\",\n")
  string(APPEND table "    {data_${index}, sizeof(data_${index}) - 1},\n")
  math(EXPR index "${index} + 1")
endforeach()
if(index EQUAL 0)
  set(names "    \"\",\n")
  set(table "    {},\n")
endif()

file(WRITE "${OUT}.cpp" "#include \"${stem}.hpp\"

#include \"sluice/base/mutation.hpp\"

namespace ${NAMESPACE} {
namespace {

${body}
const std::string_view kNames[] = {
${names}};
const std::string_view kFiles[] = {
${table}};

}  // namespace

std::span<const std::string_view> names() { return {kNames, ${index}}; }

std::string_view file(std::string_view name) {
  const auto known = names();
  for (std::size_t i = 0; i != known.size(); ++i) {
    if (known[i] == name) return sluice::mutated(\"${FOLDER}\", kFiles[i]);
  }
  return {};
}

}  // namespace ${NAMESPACE}
")
