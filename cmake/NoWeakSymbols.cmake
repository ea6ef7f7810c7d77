# cmake -DNM=nm -DOBJECTS=a.o;b.o -P NoWeakSymbols.cmake: fails if an object defines a weak symbol.
foreach(object IN LISTS OBJECTS)
  execute_process(COMMAND ${NM} --demangle --defined-only ${object} OUTPUT_VARIABLE symbols COMMAND_ERROR_IS_FATAL ANY)
  string(REGEX MATCHALL "[0-9a-f]+ [WVu] [^\n]+" weak "${symbols}")
  foreach(symbol IN LISTS weak)
    string(REGEX REPLACE "^[0-9a-f]+ " "" symbol "${symbol}")
    # What merely names the exception personality is the same in every object.
    if(NOT symbol MATCHES "DW\\.ref\\.__gxx_personality")
      string(APPEND found "  ${symbol}\n")
    endif()
  endforeach()
endforeach()
if(found)
  message(FATAL_ERROR "weak symbols compiled for one instruction set may be linked into code for another; "
    "give them internal linkage (anonymous namespace) or force their inlining:\n${found}")
endif()
