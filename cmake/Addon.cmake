# The Node addon: build/Release/sphere_face_model.node. Node-API alone (version 8), so that one binary serves every Node.
file(GLOB addon_sources CONFIGURE_DEPENDS native/addon/*.cpp)

if(MSVC AND CMAKE_JS_NODELIB_DEF AND CMAKE_JS_NODELIB_TARGET)
  # The import library of node.exe, made from the list of Node-API's symbols: nothing is downloaded.
  execute_process(COMMAND ${CMAKE_AR} /def:${CMAKE_JS_NODELIB_DEF} /out:${CMAKE_JS_NODELIB_TARGET} ${CMAKE_STATIC_LINKER_FLAGS}
    COMMAND_ERROR_IS_FATAL ANY)
endif()

# A MODULE is what is loaded at run time and never linked against; CMAKE_JS_SRC is Windows' hook for a renamed node.exe.
add_library(sphere_face_model MODULE ${addon_sources} ${CMAKE_JS_SRC})
set_target_properties(sphere_face_model PROPERTIES PREFIX "" SUFFIX .node)
# The generator expression keeps Visual Studio from appending a directory named after the configuration.
set_target_properties(sphere_face_model PROPERTIES LIBRARY_OUTPUT_DIRECTORY $<1:${SFM_OUTPUT_DIRECTORY}>)
target_include_directories(sphere_face_model SYSTEM PRIVATE ${CMAKE_JS_INC})
target_compile_definitions(sphere_face_model PRIVATE
  NAPI_VERSION=8 NODE_ADDON_API_CPP_EXCEPTIONS NODE_ADDON_API_DISABLE_DEPRECATED BUILDING_NODE_EXTENSION)
target_link_libraries(sphere_face_model PRIVATE sfm_cuda ${CMAKE_JS_LIB})

# Nothing may be seen from outside but Node-API's two entry points, and no newer libstdc++ be needed than the user has.
if(APPLE)
  target_link_options(sphere_face_model PRIVATE -undefined dynamic_lookup
    LINKER:-exported_symbol,_napi_register_module_v1 LINKER:-exported_symbol,_node_api_module_get_api_version_v1)
elseif(UNIX)
  set(symbols ${CMAKE_SOURCE_DIR}/cmake/addon.map)
  target_link_options(sphere_face_model PRIVATE LINKER:--exclude-libs,ALL LINKER:--version-script=${symbols})
  set_target_properties(sphere_face_model PROPERTIES LINK_DEPENDS ${symbols})
  if(NOT SFM_SANITIZE)
    target_link_options(sphere_face_model PRIVATE -static-libstdc++ -static-libgcc)
  endif()
elseif(MSVC)
  target_link_options(sphere_face_model PRIVATE /DELAYLOAD:node.exe)
  target_link_libraries(sphere_face_model PRIVATE delayimp)
endif()
