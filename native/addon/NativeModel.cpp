#include "addon/NativeModel.h"

#include <cmath>
#include <cstring>
#include <utility>
#include <vector>

#include "addon/AddonData.h"
#include "addon/Arguments.h"
#include "addon/Joint.h"

namespace sfm::addon {

namespace {

// Faces in one native call; the facade cuts larger batches.
constexpr size_t kLargestBatch = 1u << 20;

// Runs a method's body, turning the core's exceptions into JavaScript's.
template <class Body>
auto guarded(Napi::Env env, Body body) -> decltype(body()) {
  try {
    return body();
  } catch (const Napi::Error&) {
    throw;
  } catch (...) {
    throw toJavaScript(env, std::current_exception());
  }
}

BasisView basis(const Napi::Value& value, const char* name, size_t row) {
  BasisView view;
  size_t size;
  if (isArray<float>(value)) {
    const ArrayView<float> numbers = array<float>(value, name);
    view.floats = numbers.data;
    size = numbers.size;
  } else if (isArray<uint16_t>(value)) {
    const ArrayView<uint16_t> numbers = array<uint16_t>(value, name);
    view.halves = numbers.data;
    size = numbers.size;
  } else {
    invalid(std::string(name) + ": expected a Float32Array or a Uint16Array");
  }
  if (size % row != 0 || size / row > 4096)
    invalid(std::string(name) + ": expected rows of " + std::to_string(row) + " numbers");
  view.columns = static_cast<int>(size / row);
  return view;
}

size_t bytesOf(const LandmarkScheme& scheme) {
  return scheme.points.bytes() + scheme.basis.rows.size() * sizeof(float);
}

// Memory that JavaScript takes over: no copy, unless the runtime forbids external memory.
template <class T>
Napi::Value toTypedArray(Napi::Env env, AlignedBuffer<T> numbers) {
  const size_t size = numbers.size();
  Napi::ArrayBuffer buffer;
  auto* owner = new AlignedBuffer<T>(std::move(numbers));
  napi_value value;
  const napi_status status = napi_create_external_arraybuffer(
      env, owner->data(), size * sizeof(T),
      [](napi_env, void*, void* hint) { delete static_cast<AlignedBuffer<T>*>(hint); }, owner, &value);
  if (status == napi_ok) {
    buffer = Napi::ArrayBuffer(env, value);
  } else {
    const std::unique_ptr<AlignedBuffer<T>> copied(owner);
    buffer = Napi::ArrayBuffer::New(env, size * sizeof(T));
    std::memcpy(buffer.Data(), copied->data(), size * sizeof(T));
  }
  return Napi::TypedArrayOf<T>::New(env, size, buffer, 0, ElementType<T>::type);
}

FitOptions fitOptions(const Napi::Object& from) {
  FitOptions options;
  options.maxIterations = integer(from.Get("maxIterations"), "maxIterations", 1, 1000);
  options.loss = from.Get("robust").ToBoolean() ? RobustLoss::kStudentT : RobustLoss::kSquared;
  options.degreesOfFreedom = number(from.Get("degreesOfFreedom"), "degreesOfFreedom");
  options.boundExpression = from.Get("boundExpression").ToBoolean();
  options.identityPrior = number(from.Get("identityPrior"), "identityPrior");
  options.expressionPrior = number(from.Get("expressionPrior"), "expressionPrior");
  options.noise = number(from.Get("noise"), "noise");
  options.focalStddev = number(from.Get("focalStddev"), "focalStddev");
  options.costTolerance = number(from.Get("costTolerance"), "costTolerance");
  options.weakPerspective = from.Get("weakPerspective").ToBoolean();
  options.nuisances = from.Get("nuisances").ToBoolean();
  options.posterior = from.Get("posterior").ToBoolean();
  std::string why;
  if (!options.isValid(&why)) invalid(why);
  return options;
}

DecodePrecision precision(const Napi::Value& value) {
  const std::string name = text(value, "precision");
  if (name == "standard") return DecodePrecision::kStandard;
  if (name == "fast") return DecodePrecision::kFast;
  if (name != "exact") invalid("precision: expected standard, fast or exact");
  return DecodePrecision::kExact;
}

// What makes a batch one person's; null where it is not.
std::unique_ptr<const FitBatch::Joint> jointOf(const Napi::Value& value, const LandmarkBasis& basis, size_t count) {
  if (isAbsent(value)) return nullptr;
  const Napi::Object from = object(value, "joint");
  const Napi::Value precisionValue = from.Get("precision"), couplingValue = from.Get("coupling"),
                    personValue = from.Get("person"), meanValue = from.Get("mean"), seedsValue = from.Get("seeds"),
                    passValue = from.Get("pass");
  std::optional<FitBatch::Joint::Pass> pass;
  Napi::Value wValue, membersValue;
  if (!isAbsent(passValue)) {
    const Napi::Object passFrom = object(passValue, "pass");
    wValue = passFrom.Get("w");
    membersValue = passFrom.Get("members");
    pass.emplace();
    pass->personPrior = number(passFrom.Get("prior"), "prior");
    pass->holdsScale = passFrom.Get("holdsScale").ToBoolean();
    pass->relinearise = passFrom.Get("relinearise").ToBoolean();
    pass->last = passFrom.Get("last").ToBoolean();
    pass->evidence = passFrom.Get("evidence").ToBoolean();
    if (!std::isfinite(pass->personPrior) || pass->personPrior < 0) invalid("prior: expected 0 or more");
  }
  auto joint = std::make_unique<FitBatch::Joint>();
  joint->linked = from.Get("linked").ToBoolean();
  joint->sizeFree = from.Get("sizeFree").ToBoolean();
  joint->draft = from.Get("draft").ToBoolean();
  const auto copy = [](const Napi::Value& numbers, const char* name, size_t size) {
    const ArrayView<double> view = array<double>(numbers, name, size);
    return std::vector<double>(view.data, view.data + view.size);
  };
  const size_t d = static_cast<size_t>(basis.tangentCount);
  joint->link.precision = copy(precisionValue, "precision", d * d);
  joint->link.coupling = copy(couplingValue, "coupling", d * d);
  joint->link.person = copy(personValue, "person", d * d);
  joint->link.mean = copy(meanValue, "mean", d);
  if (!isAbsent(seedsValue)) joint->seeds = copy(seedsValue, "seeds", count * seedSize(basis));
  if (pass) {
    pass->person = copy(wValue, "w", d);
    pass->members = copy(membersValue, "members", count);
  }
  joint->pass = std::move(pass);
  return joint;
}

}  // namespace

Napi::Function NativeModel::define(Napi::Env env) {
  return DefineClass(env, "NativeModel",
                     {
                         InstanceMethod("addScheme", &NativeModel::addScheme),
                         InstanceMethod("fit", &NativeModel::fit),
                         InstanceMethod("decode", &NativeModel::decode),
                         InstanceMethod("decodeSync", &NativeModel::decodeSync),
                         InstanceMethod("fromWhitened", &NativeModel::fromWhitened),
                         InstanceMethod("identityPrior", &NativeModel::identityPrior),
                         InstanceMethod("decodeFlops", &NativeModel::decodeFlops),
                         InstanceMethod("dispose", &NativeModel::dispose),
                     });
}

NativeModel::NativeModel(const Napi::CallbackInfo& info) : Napi::ObjectWrap<NativeModel>(info) {
  guarded(info.Env(), [&] {
    const Napi::Object from = object(info[0], "tensors");
    // Every property is read before a pointer is taken: a getter may run anything, and give an array's memory away.
    const Napi::Value meanValue = from.Get("mean"), identityValue = from.Get("identityBasis"),
                      expressionValue = from.Get("expressionBasis"), boundsValue = from.Get("expressionBounds"),
                      stddevValue = from.Get("expressionStddev"), priorMeanValue = from.Get("identityPriorMean"),
                      priorFactorValue = from.Get("identityPriorFactor"), trianglesValue = from.Get("triangles"),
                      withinIdentityValue = from.Get("withinIdentityBasis"),
                      expressionMeanValue = from.Get("expressionMean"), mirrorValue = from.Get("mirror"),
                      personShareValue = from.Get("identityPersonShare");
    FaceModelSource source;
    const ArrayView<float> mean = array<float>(meanValue, "mean");
    if (mean.size == 0 || mean.size % 3 != 0 || mean.size / 3 > (1u << 24))
      invalid("mean: expected 3 numbers for each of up to 16,777,216 vertices");
    source.vertexCount = static_cast<int>(mean.size / 3);
    source.mean = mean.data;
    source.identity = basis(identityValue, "identityBasis", mean.size);
    source.expression = basis(expressionValue, "expressionBasis", mean.size);
    if (!isAbsent(withinIdentityValue))
      source.withinIdentity = basis(withinIdentityValue, "withinIdentityBasis", mean.size);
    const size_t k = static_cast<size_t>(source.identity.columns), e = static_cast<size_t>(source.expression.columns);
    source.expressionBounds = array<float>(boundsValue, "expressionBounds", 2 * e).data;
    source.expressionStddev = array<float>(stddevValue, "expressionStddev", e).data;
    if (!isAbsent(expressionMeanValue))
      source.expressionMean = array<float>(expressionMeanValue, "expressionMean", e).data;
    if (!isAbsent(priorMeanValue)) {
      source.priorMean = array<float>(priorMeanValue, "identityPriorMean", k).data;
      source.priorFactor = array<float>(priorFactorValue, "identityPriorFactor", k * k).data;
    }
    if (!isAbsent(personShareValue) && source.priorMean)
      source.personShare = array<float>(personShareValue, "identityPersonShare", k).data;
    const ArrayView<int32_t> triangles = array<int32_t>(trianglesValue, "triangles");
    if (triangles.size % 3 != 0 || triangles.size / 3 > (1u << 25))
      invalid("triangles: expected 3 indices for each of up to 33,554,432 triangles");
    source.triangles = triangles.data;
    source.triangleCount = static_cast<int>(triangles.size / 3);
    if (!isAbsent(mirrorValue)) source.mirror = array<int32_t>(mirrorValue, "mirror", mean.size / 3).data;
    model_ = std::make_shared<const FaceModel>(source);
    reportMemory(info.Env(), model_->bytes());
  });
}

const std::shared_ptr<const FaceModel>& NativeModel::model() const {
  if (!model_) throw Error(ErrorCode::DISPOSED, "the model has been disposed");
  return model_;
}

std::shared_ptr<const LandmarkScheme> NativeModel::scheme(const Napi::Value& value) const {
  const int i = integer(value, "scheme", -1, static_cast<int>(schemes_.size()) - 1);
  return i < 0 ? nullptr : schemes_[static_cast<size_t>(i)];
}

Napi::Value NativeModel::addScheme(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    const Napi::Object from = object(info[0], "scheme");
    // As above: first every property, then the pointers.
    const Napi::Value indicesValue = from.Get("indices"), weightsValue = from.Get("weights"),
                      factorsValue = from.Get("noiseFactors"), offsetsValue = from.Get("offsets"),
                      correlatedNoiseValue = from.Get("correlatedNoise");
    LandmarkSchemeSource source;
    const ArrayView<int32_t> view = array<int32_t>(indicesValue, "indices");
    if (view.size == 0 || view.size % 3 != 0 || view.size / 3 > 65536)
      invalid("indices: expected 3 for each of up to 65,536 landmarks");
    // Copied, since they are read again after they have been checked, and shared memory may change at any time.
    const std::vector<int32_t> indices(view.data, view.data + view.size);
    const size_t count = indices.size() / 3;
    source.count = static_cast<int>(count);
    source.indices = indices.data();
    source.weights = array<float>(weightsValue, "weights", 3 * count).data;
    source.noiseFactors = array<float>(factorsValue, "noiseFactors", count).data;
    if (!isAbsent(offsetsValue)) source.offsets = array<float>(offsetsValue, "offsets", 3 * count).data;
    if (!isAbsent(correlatedNoiseValue)) {
      const ArrayView<float> factor = array<float>(correlatedNoiseValue, "correlatedNoise");
      if (factor.size % (3 * count) != 0 || factor.size / (3 * count) > 1024)
        invalid("correlatedNoise: expected up to 1,024 rows of " + std::to_string(3 * count) + " numbers");
      source.correlatedNoiseCount = static_cast<int>(factor.size / (3 * count));
      source.correlatedNoise = factor.data;
    }
    schemes_.push_back(std::make_shared<const LandmarkScheme>(*model(), source));
    reportMemory(info.Env(), reportedBytes_ + bytesOf(*schemes_.back()));
    return Napi::Number::New(info.Env(), static_cast<double>(schemes_.size() - 1));
  });
}

Napi::Value NativeModel::fit(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    auto batch = std::make_shared<FitBatch>();
    batch->model = model();
    batch->scheme = scheme(info[0]);
    if (!batch->scheme) invalid("scheme: expected the number of a scheme");
    const Napi::Object options = object(info[1], "options");
    batch->options = fitOptions(options);
    batch->space = options.Get("scan").ToBoolean() ? ObservationSpace::kScan : ObservationSpace::kImage;
    batch->precise = options.Get("precise").ToBoolean();
    batch->linearise = options.Get("linearise").ToBoolean();
    const std::string device = text(options.Get("device"), "device");
    const size_t landmarks = static_cast<size_t>(batch->scheme->basis.landmarkCount);
    const ArrayView<double> cameras = array<double>(info[4], "cameras");
    const size_t count = cameras.size / FitBatch::kCameraSize;
    if (cameras.size % FitBatch::kCameraSize != 0 || count > kLargestBatch)
      invalid("cameras: expected 5 numbers for each of up to 1,048,576 faces");
    const ArrayView<double> points =
        array<double>(info[2], "points", count * landmarks * static_cast<size_t>(batch->dimensions()));
    batch->count = static_cast<int>(count);
    batch->cameras.assign(cameras.data, cameras.data + cameras.size);
    batch->points.assign(points.data, points.data + points.size);
    if (!isAbsent(info[3])) {
      const ArrayView<float> confidence = array<float>(info[3], "confidence", count * landmarks);
      batch->confidence.assign(confidence.data, confidence.data + confidence.size);
    }
    const Napi::Function callback = function(info[5], "callback");
    batch->joint = jointOf(info[6], batch->scheme->basis, count);
    if (batch->joint && (batch->linearise || batch->options.posterior))
      invalid("joint: expected neither linearise nor posterior");
    if (batch->joint && batch->joint->pass) {
      batch->images = takeImages(object(info[6], "joint").Get("images"));
      if (batch->images && !batch->images->fit(*batch)) invalid("images: expected those of the same call");
    }
    batch->allocate();
    AddonData& data = AddonData::of(info.Env());
    const uint32_t id = data.run(
        callback,
        [batch](Napi::Env env) -> napi_value {
          Napi::Object result = Napi::Object::New(env);
          result.Set("records", toTypedArray(env, std::move(batch->records)));
          // On the way of a joint fit nobody reads more.
          const bool passing = batch->joint && batch->joint->pass && !batch->joint->pass->last;
          if (!passing) result.Set("arrays", toTypedArray(env, std::move(batch->arrays)));
          if (batch->joint) {
            if (!passing) result.Set("seeds", toTypedArray(env, std::move(batch->seeds)));
            if (batch->evidence.size() > 0) result.Set("evidence", toTypedArray(env, std::move(batch->evidence)));
            if (batch->images) result.Set("images", handleOf(env, std::move(batch->images)));
          }
          if (batch->linearise) result.Set("linearisations", toTypedArray(env, std::move(batch->linearisations)));
          if (!batch->warning.empty()) result.Set("warning", Napi::String::New(env, batch->warning));
          return result;
        },
        [&](std::shared_ptr<const Cancellation> cancellation, Completion done) {
          data.backend(device, &batch->warning).fit(batch, std::move(cancellation), std::move(done));
        });
    return Napi::Number::New(info.Env(), id);
  });
}

Napi::Value NativeModel::decodeFlops(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value { return Napi::Number::New(info.Env(), model()->decodeFlops()); });
}

std::shared_ptr<DecodeBatch> NativeModel::decodeBatch(const Napi::CallbackInfo& info) const {
  auto batch = std::make_shared<DecodeBatch>();
  batch->model = model();
  batch->scheme = scheme(info[0]);
  const FaceModel& model = *batch->model;
  const size_t k = static_cast<size_t>(model.identityCount()), e = static_cast<size_t>(model.expressionCount());
  const ArrayView<float> identity = array<float>(info[1], "identity");
  const size_t count = identity.size / k;
  if (identity.size % k != 0 || count > kLargestBatch)
    invalid("identity: expected " + std::to_string(k) + " numbers for each of up to 1,048,576 faces");
  batch->count = static_cast<int>(count);
  const float* expression = isAbsent(info[2]) ? nullptr : array<float>(info[2], "expression", count * e).data;
  if (!isAbsent(info[3])) {
    const ArrayView<float> poses = array<float>(info[3], "poses", count * 12);
    batch->poses.assign(poses.data, poses.data + poses.size);
  }
  const size_t columns = static_cast<size_t>(batch->basis().columnCount);
  batch->coefficients.resize(count * columns);
  for (size_t i = 0; i < count; ++i)
    model.decodeCoefficients(identity.data + i * k, expression ? expression + i * e : nullptr,
                             &batch->coefficients[i * columns]);
  return batch;
}

Napi::Value NativeModel::decode(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    std::shared_ptr<DecodeBatch> batch = decodeBatch(info);
    const size_t size = static_cast<size_t>(batch->count) * static_cast<size_t>(batch->basis().pointCount) * 3;
    const Napi::Object options = object(info[4], "options");
    const bool normals = options.Get("normals").ToBoolean();
    const std::string device = text(options.Get("device"), "device");
    batch->precision = precision(options.Get("precision"));
    if (normals) {
      if (batch->scheme) invalid("normals: expected a decode of the whole mesh");
      batch->normals = AlignedBuffer<float>::uninitialised(size);
    }
    Napi::Reference<Napi::Value> out;
    if (isAbsent(info[5])) {
      batch->owned = AlignedBuffer<float>::uninitialised(size);
      batch->vertices = batch->owned.data();
    } else {
      TypedArrayInfo target;
      if (!typedArrayInfo(info.Env(), info[5], &target) || target.type != napi_float32_array || target.length != size)
        invalid("out: expected a Float32Array of " + std::to_string(size));
      // An ordinary buffer can be detached or shrunk by JavaScript while threads write to it; a shared one cannot.
      if (!target.shared) invalid("out: expected memory in a SharedArrayBuffer");
      batch->vertices = static_cast<float*>(target.data);
      out = Napi::Reference<Napi::Value>::New(info[5], 1);
    }
    const Napi::Function callback = function(info[6], "callback");
    auto kept = std::make_shared<Napi::Reference<Napi::Value>>(std::move(out));
    AddonData& data = AddonData::of(info.Env());
    const uint32_t id = data.run(
        callback,
        [batch, kept, normals](Napi::Env env) -> napi_value {
          Napi::Object result = Napi::Object::New(env);
          result.Set("vertices", kept->IsEmpty() ? toTypedArray(env, std::move(batch->owned)) : kept->Value());
          if (normals) result.Set("normals", toTypedArray(env, std::move(batch->normals)));
          if (!batch->warning.empty()) result.Set("warning", Napi::String::New(env, batch->warning));
          return result;
        },
        [&](std::shared_ptr<const Cancellation> cancellation, Completion done) {
          data.backend(device, &batch->warning).decode(batch, std::move(cancellation), std::move(done));
        });
    return Napi::Number::New(info.Env(), id);
  });
}

Napi::Value NativeModel::decodeSync(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    const std::shared_ptr<DecodeBatch> batch = decodeBatch(info);
    const size_t size = static_cast<size_t>(batch->count) * static_cast<size_t>(batch->basis().pointCount) * 3;
    TypedArrayInfo target;
    if (!typedArrayInfo(info.Env(), info[4], &target) || target.type != napi_float32_array || target.length != size)
      invalid("out: expected a Float32Array of " + std::to_string(size));
    batch->vertices = static_cast<float*>(target.data);
    AddonData::of(info.Env()).cpu().decodeNow(*batch);
    return info[4];
  });
}

Napi::Value NativeModel::fromWhitened(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    const FaceModel& model = *this->model();
    const size_t d = static_cast<size_t>(model.tangentCount()), k = static_cast<size_t>(model.identityCount());
    const ArrayView<double> view = array<double>(info[0], "whitened", d);
    const std::vector<double> whitened(view.data, view.data + d);
    std::vector<double> latent(k), direction(d);
    model.latentFromWhitened(whitened.data(), latent.data(), direction.data());
    const auto floats = [&](const std::vector<double>& from) {
      AlignedBuffer<float> to(from.size());
      for (size_t i = 0; i < from.size(); ++i) to[i] = static_cast<float>(from[i]);
      return toTypedArray(info.Env(), std::move(to));
    };
    Napi::Object face = Napi::Object::New(info.Env());
    face.Set("identity", floats(latent));
    face.Set("embedding", floats(direction));
    return face;
  });
}

Napi::Value NativeModel::identityPrior(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    const FaceModel& model = *this->model();
    const size_t d = static_cast<size_t>(model.tangentCount());
    const std::vector<double>& factor = model.priorFactor();
    AlignedBuffer<double> numbers(d * d);
    for (size_t i = 0; i < d; ++i)
      for (size_t j = 0; j < d; ++j) numbers[i * d + j] = factor.empty() ? (i == j ? 1 : 0) : factor[i * d + j];
    Napi::Object prior = Napi::Object::New(info.Env());
    prior.Set("factor", toTypedArray(info.Env(), std::move(numbers)));
    prior.Set("radius", Napi::Number::New(info.Env(), model.radius()));
    return prior;
  });
}

Napi::Value NativeModel::dispose(const Napi::CallbackInfo& info) {
  // Calls under way hold what they need.
  model_.reset();
  schemes_.clear();
  reportMemory(info.Env(), 0);
  return info.Env().Undefined();
}

void NativeModel::Finalize(Napi::Env env) { reportMemory(env, 0); }

void NativeModel::reportMemory(Napi::Env env, size_t bytes) {
  Napi::MemoryManagement::AdjustExternalMemory(env, static_cast<int64_t>(bytes) - static_cast<int64_t>(reportedBytes_));
  reportedBytes_ = bytes;
}

}  // namespace sfm::addon
