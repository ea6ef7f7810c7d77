{
  # CMakeLists.txt is the build; this lets node-gyp, and what is made on top of it, run that same build.
  "targets": [
    {
      "target_name": "sphere_face_model",
      "type": "none",
      "actions": [
        {
          "action_name": "cmake",
          "inputs": [],
          # Never written, so the action always runs: CMake knows what is up to date.
          "outputs": ["<(PRODUCT_DIR)/always"],
          "action": ["node", "<(module_root_dir)/scripts/build-native.mjs"]
        }
      ]
    }
  ]
}
