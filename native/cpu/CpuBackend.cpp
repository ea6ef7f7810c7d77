#include "cpu/CpuBackend.h"

#include <algorithm>
#include <exception>
#include <utility>

#include "core/Error.h"
#include "core/Normals.h"
#include "cpu/PersonPosterior.h"

namespace sfm {

namespace {

// Faces decoded together: their coefficients and 16 panels fit into the second-level cache, the basis is read once for
// them, and on tiles it is split once for them.
constexpr int kFaceBlock = 256;
constexpr int kPanelBlock = 64;       // 1,024 points, or pairs of them
constexpr int kNormalFaces = 4;       // faces a task decodes when normals follow, all points of each
constexpr int kTileNormalFaces = 16;  // likewise, on tiles

// On tiles, outputs beyond this go past the caches, which could not keep them: so no lines are fetched only to be
// overwritten. On vectors that does not pay: arithmetic is the limit there, and hides the stores (docs/performance.md).
constexpr size_t kStreamedBytes = size_t{16} << 20;

// Multiply-adds that take less time than handing them to another thread and hearing of their end, which costs 15 to 100
// microseconds: these are done at once.
constexpr double kSmallDecode = 5e5;

bool isSmall(const DecodeBatch& batch) {
  const DecodeBasis& basis = batch.basis();
  return 3.0 * batch.count * basis.pointCount * basis.columnCount <= kSmallDecode && batch.normals.size() == 0;
}

bool isDecodedOnTiles(const DecodeBatch& batch, const CpuKernels& kernels) {
  return kernels.decodeOnTiles && batch.basis().isHalf() && batch.precision != DecodePrecision::kExact;
}

// Whether the sides of faces may be decoded together: only the mesh has them, not points of it.
bool mayBeMirrored(const DecodeBatch& batch) { return !batch.scheme; }

// How a batch is decoded, and in which tasks.
struct DecodePlan {
  DecodeFunction decode;
  DecodeMirroredFunction decodeMirrored;
  const MirroredBasis* mirrored;  // null: `decode` it is
  bool stream;
  int panelCount, faceBlock, panelBlock, panelTasks, taskCount;
  size_t scratch = 0;

  DecodePlan(const DecodeBatch& batch, const CpuKernels& kernels, int threads) {
    const DecodeBasis& basis = batch.basis();
    const bool normals = batch.normals.size() > 0, onTiles = isDecodedOnTiles(batch, kernels);
    const size_t bytes = static_cast<size_t>(batch.count) * basis.pointCount * 3 * sizeof(float);
    const auto chosen = [&](auto onVectors, auto standard, auto fast) {
      return !onTiles ? onVectors : batch.precision == DecodePrecision::kFast ? fast : standard;
    };
    decode = chosen(kernels.decode, kernels.decodeOnTiles, kernels.decodeOnTilesFast);
    decodeMirrored = chosen(kernels.decodeMirrored, kernels.decodeMirroredOnTiles, kernels.decodeMirroredOnTilesFast);
    stream = onTiles && bytes > kStreamedBytes && !normals;  // normals read what was written
    mirrored = mayBeMirrored(batch) ? batch.model->mirroredBasis() : nullptr;
    panelCount = mirrored ? mirrored->panelCount : basis.panelCount;
    const int panels = panelCount;
    if (normals) {
      faceBlock = onTiles ? kTileNormalFaces : kNormalFaces;
      panelBlock = panels;
    } else {
      faceBlock = kFaceBlock;
      panelBlock = kPanelBlock;
      // Few faces on many threads: smaller tasks, down to what a thread works through at a time.
      while (panelBlock > kStagedPanels && tasks(batch.count, panels) < 2 * threads) panelBlock /= 2;
    }
    panelTasks = panels == 0 ? 0 : (panels + panelBlock - 1) / panelBlock;
    taskCount = tasks(batch.count, panels);
    if (!mirrored)
      scratch = decodeScratch(basis, faceBlock);
    else if (onTiles)
      scratch = decodeScratch(*mirrored, faceBlock);
  }

  int tasks(int count, int panels) const {
    return panels == 0 ? 0 : (panels + panelBlock - 1) / panelBlock * ((count + faceBlock - 1) / faceBlock);
  }
};

}  // namespace

// What a worker needs to fit the faces of one scheme.
struct CpuBackend::Workspace {
  explicit Workspace(std::shared_ptr<const LandmarkScheme> s) : scheme(s), single(s->basis) {}
  const std::weak_ptr<const LandmarkScheme> scheme;
  FitWorkspace<float> single;
  std::unique_ptr<FitWorkspace<double>> twice;  // made when first needed
  std::vector<double> posterior;  // information and shift, likewise
  std::unique_ptr<JointWorkspace<float>> joint;
  std::unique_ptr<JointWorkspace<double>> jointTwice;

  FitWorkspace<double>& inDoublePrecision(const LandmarkBasis& basis) {
    if (!twice) twice = std::make_unique<FitWorkspace<double>>(basis);
    return *twice;
  }
};

struct CpuBackend::Worker {
  AlignedBuffer<float> decodeScratch;
  std::vector<std::unique_ptr<Workspace>> workspaces;

  Workspace& workspace(const std::shared_ptr<const LandmarkScheme>& scheme) {
    for (const auto& workspace : workspaces)
      if (workspace->scheme.lock() == scheme) return *workspace;
    // A new scheme: a good moment to forget those that are gone.
    workspaces.erase(
        std::remove_if(workspaces.begin(), workspaces.end(), [](const auto& w) { return w->scheme.expired(); }),
        workspaces.end());
    workspaces.push_back(std::make_unique<Workspace>(scheme));
    return *workspaces.back();
  }
};

CpuBackend::CpuBackend(const CpuKernels& kernels, int threads, int queueLimit)
    : kernels_(kernels),
      workers_([threads] {
        std::vector<std::unique_ptr<Worker>> workers;
        for (int i = 0; i < threads; ++i) workers.push_back(std::make_unique<Worker>());
        return workers;
      }()),
      pool_(threads, queueLimit) {}

CpuBackend::~CpuBackend() = default;

void CpuBackend::passOne(FitBatch& batch, int i, int worker) {
  Workspace& workspace = workers_[static_cast<size_t>(worker)]->workspace(batch.scheme);
  const LandmarkBasis& basis = batch.scheme->basis;
  const FitBatch::Joint& joint = *batch.joint;
  const FitBatch::Joint::Pass& from = *joint.pass;
  const bool sizeFree = joint.sizeFree && from.members[static_cast<size_t>(i)] != 0;
  const JointPass pass = {&joint.link,     from.person.data(), from.personPrior, sizeFree,
                          from.holdsScale, from.relinearise,   from.last};
  JointImage& image = batch.images->images[static_cast<size_t>(i)];
  FitSolution solution = batch.solution(i);
  const FitProblem problem = batch.problem(i);
  if (!workspace.joint) workspace.joint = std::make_unique<JointWorkspace<float>>(basis);
  if (batch.precise || !kernels_.joint(*batch.model, basis, batch.options, batch.space, workspace.single,
                                       *workspace.joint, problem, pass, image, solution)) {
    if (!workspace.jointTwice) workspace.jointTwice = std::make_unique<JointWorkspace<double>>(basis);
    solution = batch.solution(i);
    jointReference(*batch.model, basis, batch.options, batch.space, workspace.inDoublePrecision(basis),
                   *workspace.jointTwice, problem, pass, image, solution);
  }
  batch.store(i, solution);
}

// From what a solver has left to what a posterior says: of the latents, and where the model knows what of these is the
// person's, of the person. The solution fails where it says nothing.
void CpuBackend::tellPosterior(const FitBatch& batch, FitSolution& solution) const {
  const FaceModel& model = *batch.model;
  const std::vector<float>& share = model.personShare();
  whitenPosterior(model, batch.options.identityPrior, solution.information, solution.shift);
  if (share.empty()) return;
  try {
    personPosterior(kernels_, model.tangentCount(), share.data(), solution.information, solution.shift);
  } catch (const Error& error) {
    if (error.code() != ErrorCode::NUMERICAL) throw;
    fail(&solution, FitFailure::kNumerical);
  }
}

void CpuBackend::fitOne(FitBatch& batch, int i, int worker) {
  if (batch.joint && batch.joint->pass) return passOne(batch, i, worker);
  Workspace& workspace = workers_[static_cast<size_t>(worker)]->workspace(batch.scheme);
  FitSolution solution = batch.solution(i);
  FitProblem problem = batch.problem(i);
  const LandmarkBasis& basis = batch.scheme->basis;
  FitLinearisation linearisation;
  if (batch.linearise) {
    linearisation = batch.linearisation(i);
    solution.linearisation = &linearisation;
  }
  IdentityPrior prior;
  if (batch.joint) {
    prior = {batch.joint->link.mean.data(), batch.joint->link.precision.data()};
    if (batch.joint->linked) problem.identityPrior = &prior;
    workspace.posterior.resize(static_cast<size_t>(basis.tangentCount));
    solution.shift = workspace.posterior.data();
  } else if (batch.options.posterior) {
    const size_t triangle = packedTriangle(basis.tangentCount);
    workspace.posterior.resize(triangle + basis.tangentCount);
    solution.information = workspace.posterior.data();
    solution.shift = solution.information + triangle;
  }
  if (batch.precise ||
      !kernels_.fit(*batch.model, basis, batch.options, batch.space, workspace.single, problem, solution))
    fitReference(*batch.model, basis, batch.options, batch.space, workspace.inDoublePrecision(basis), problem,
                 solution);
  if (batch.joint && solution.failure == FitFailure::kNone &&
      !personEvidence(*batch.model, batch.options.identityPrior, batch.joint->link, batch.joint->linked, solution.shift,
                      solution.information, solution.gradient))
    fail(&solution, FitFailure::kNumerical);
  if (batch.options.posterior && solution.failure == FitFailure::kNone) tellPosterior(batch, solution);
  batch.store(i, solution);
}

void CpuBackend::fit(std::shared_ptr<FitBatch> batch, std::shared_ptr<const Cancellation> cancellation,
                     Completion done) {
  if (batch->joint && batch->joint->pass && !batch->images) batch->images = std::make_shared<JointImages>(*batch);
  Job job;
  job.taskCount = batch->count;
  job.run = [this, batch, cancellation](int i, int worker) {
    if (!cancellation->cancelled()) fitOne(*batch, i, worker);
  };
  job.done = std::move(done);
  pool_.submit(std::move(job));
}

void CpuBackend::tellPosteriors(std::shared_ptr<FitBatch> batch, std::vector<int> problems,
                                std::shared_ptr<const Cancellation> cancellation, Completion done) {
  Job job;
  job.taskCount = static_cast<int>(problems.size());
  job.run = [this, batch, cancellation, problems = std::move(problems)](int task, int) {
    if (cancellation->cancelled()) return;
    const size_t i = static_cast<size_t>(problems[static_cast<size_t>(task)]),
                 d = static_cast<size_t>(batch->model->tangentCount()), triangle = packedTriangle(static_cast<int>(d));
    double* record = batch->records.data() + i * kRecordSize;
    float* left = batch->arrays.data() + (i + 1) * batch->arraysPerFit() - triangle - d;
    std::vector<double> numbers(left, left + triangle + d);
    FitSolution solution;
    solution.information = numbers.data();
    solution.shift = solution.information + triangle;
    tellPosterior(*batch, solution);
    if (solution.failure == FitFailure::kNone) {
      std::transform(numbers.begin(), numbers.end(), left, [](double value) { return static_cast<float>(value); });
    } else {
      std::fill_n(left, numbers.size(), 0.0f);
      writeOutcome(solution, record);
    }
  };
  job.done = std::move(done);
  pool_.submit(std::move(job));
}

namespace {

void decodeTask(const DecodePlan& plan, DecodeBatch& batch, int task, AlignedBuffer<float>& scratch) {
  const DecodeBasis& basis = batch.basis();
  const int faceBegin = task / plan.panelTasks * plan.faceBlock;
  const int faceEnd = std::min(batch.count, faceBegin + plan.faceBlock);
  const int panelBegin = task % plan.panelTasks * plan.panelBlock;
  const int panelEnd = std::min(plan.panelCount, panelBegin + plan.panelBlock);
  const size_t row = 3 * static_cast<size_t>(basis.pointCount);
  const auto scratchOf = [&](size_t wanted) {
    if (scratch.size() < wanted) scratch = AlignedBuffer<float>::uninitialised(wanted);
    return scratch.data();
  };
  DecodeFaces faces;
  faces.coefficients = batch.coefficients.data();
  faces.poses = batch.poses.empty() ? nullptr : batch.poses.data();
  faces.vertices = batch.vertices;
  faces.stream = plan.stream;
  if (plan.mirrored) {
    // The faces of this task alone, with the coefficients of the rows.
    const int count = faceEnd - faceBegin, rows = plan.mirrored->rowCount();
    float* const coefficients = scratchOf(plan.scratch + static_cast<size_t>(count) * rows) + plan.scratch;
    for (int face = 0; face < count; ++face)
      plan.mirrored->coefficients(faces.coefficients + static_cast<size_t>(faceBegin + face) * basis.columnCount,
                                  coefficients + static_cast<size_t>(face) * rows);
    faces.coefficients = coefficients;
    if (faces.poses) faces.poses += static_cast<size_t>(faceBegin) * 12;
    faces.vertices += row * faceBegin;
    plan.decodeMirrored(*plan.mirrored, faces, panelBegin, panelEnd, 0, count, scratch.data());
  } else {
    plan.decode(basis, faces, panelBegin, panelEnd, faceBegin, faceEnd, scratchOf(plan.scratch));
  }
  if (batch.normals.size() == 0) return;
  std::vector<float> faceNormals(batch.model->triangles().size());
  for (int face = faceBegin; face < faceEnd; ++face)
    vertexNormals(*batch.model, batch.vertices + row * face, faceNormals.data(), batch.normals.data() + row * face);
}

}  // namespace

void CpuBackend::decode(std::shared_ptr<DecodeBatch> batch, std::shared_ptr<const Cancellation> cancellation,
                        Completion done) {
  if (isSmall(*batch)) {
    std::exception_ptr failure;
    try {
      if (!cancellation->cancelled()) decodeNow(*batch);
    } catch (...) {
      failure = std::current_exception();
    }
    done(failure);
    return;
  }
  if (mayBeMirrored(*batch) && !batch->model->hasMirroredBasis()) {
    // Some milliseconds, once a model, and not on this thread.
    Job job;
    job.taskCount = 1;
    job.run = [batch](int, int) { batch->model->mirroredBasis(); };
    job.done = [this, batch, cancellation, done](std::exception_ptr failure) {
      // Where it was skipped the pool is ending, and so does the call.
      if (failure || !batch->model->hasMirroredBasis()) return done(failure);
      try {
        decode(batch, cancellation, done);
      } catch (...) {
        done(std::current_exception());
      }
    };
    pool_.submit(std::move(job));
    return;
  }
  const DecodePlan plan(*batch, kernels_, threadCount());
  Job job;
  job.taskCount = plan.taskCount;
  job.run = [this, plan, batch, cancellation](int task, int worker) {
    if (!cancellation->cancelled())
      decodeTask(plan, *batch, task, workers_[static_cast<size_t>(worker)]->decodeScratch);
  };
  job.done = std::move(done);
  pool_.submit(std::move(job));
}

void CpuBackend::decodeNow(DecodeBatch& batch) {
  const DecodePlan plan(batch, kernels_, 1);
  AlignedBuffer<float> scratch;
  for (int task = 0; task < plan.taskCount; ++task) decodeTask(plan, batch, task, scratch);
}

}  // namespace sfm
