// What passes of a joint fit leave to each other, in JavaScript's hands: a handle that the next pass takes, and the object
// `joint` of the addon, which tells what the images say of the person.
#pragma once

#include <memory>

#include "addon/Napi.h"
#include "cpu/JointImage.h"

namespace sfm::addon {

Napi::Value handleOf(Napi::Env env, std::shared_ptr<JointImages> images);
// Null where there is nothing yet. The handle is empty afterwards: two passes must not work on the same images.
std::shared_ptr<JointImages> takeImages(const Napi::Value& handle);

Napi::Object defineJoint(Napi::Env env);

}  // namespace sfm::addon
