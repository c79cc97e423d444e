# sluice_embed(ROOM FOLDER NAMESPACE)
#
# Makes the files of FOLDER part of the binary of ROOM. The generated header "NAMESPACE.hpp" declares
# `std::string_view NAMESPACE::file(std::string_view name)`, empty when there is no such file, and
# `std::span<const std::string_view> NAMESPACE::names()`, sorted.
function(sluice_embed room folder namespace)
  string(REPLACE "adapters/" "" target "${room}")
  set(target "sluice_${target}")
  file(GLOB files CONFIGURE_DEPENDS "${CMAKE_SOURCE_DIR}/${folder}/*")
  list(SORT files)
  set(out "${CMAKE_BINARY_DIR}/embedded/${namespace}")
  add_custom_command(
    OUTPUT "${out}.hpp" "${out}.cpp"
    COMMAND "${CMAKE_COMMAND}" -DOUT=${out} -DNAMESPACE=${namespace} -DFOLDER=${folder}
            "-DFILES=${files}" -P "${CMAKE_SOURCE_DIR}/cmake/EmbedFiles.cmake"
    DEPENDS ${files} "${CMAKE_SOURCE_DIR}/cmake/EmbedFiles.cmake"
    COMMENT "Embedding ${folder}"
    VERBATIM)
  target_sources(${target} PRIVATE "${out}.cpp" "${out}.hpp")
  target_include_directories(${target} PRIVATE "${CMAKE_BINARY_DIR}/embedded")
endfunction()
