# cmake -DNM=nm -DADDON=file -P OnlyNodeApiExported.cmake: fails if the addon shows more than Node-API's two entry points.
execute_process(COMMAND ${NM} --dynamic --defined-only --format=posix ${ADDON} OUTPUT_VARIABLE symbols COMMAND_ERROR_IS_FATAL ANY)
string(REGEX MATCHALL "[^\n]+" symbols "${symbols}")
list(FILTER symbols EXCLUDE REGEX "^(napi_register_module_v1|node_api_module_get_api_version_v1) ")
if(symbols)
  list(JOIN symbols "\n  " symbols)
  message(FATAL_ERROR "exported from the addon:\n  ${symbols}")
endif()
