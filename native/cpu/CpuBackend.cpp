#include "cpu/CpuBackend.h"

#include <algorithm>
#include <utility>

#include "core/Normals.h"

namespace sfm {

namespace {

constexpr int kFaceBlock = 64;    // faces decoded together: their coefficients stay in the second-level cache
constexpr int kPanelBlock = 64;   // 1,024 points
constexpr int kNormalFaces = 4;   // faces a task decodes when normals follow, all points of each

struct DecodeGrid {
  int faceBlock, panelBlock, panelTasks, taskCount;

  explicit DecodeGrid(const DecodeBatch& batch) {
    const bool normals = batch.normals.size() > 0;
    const int panels = batch.basis().panelCount;
    faceBlock = normals ? kNormalFaces : kFaceBlock;
    panelBlock = normals ? panels : kPanelBlock;
    panelTasks = panels == 0 ? 0 : (panels + panelBlock - 1) / panelBlock;
    taskCount = panelTasks * ((batch.count + faceBlock - 1) / faceBlock);
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
};

struct CpuBackend::Worker {
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

void CpuBackend::fitOne(FitBatch& batch, int i, int worker) {
  Workspace& workspace = workers_[static_cast<size_t>(worker)]->workspace(batch.scheme);
  FitSolution solution = batch.solution(i);
  const FitProblem problem = batch.problem(i);
  const LandmarkBasis& basis = batch.scheme->basis;
  FitLinearisation linearisation;
  if (batch.linearise) {
    linearisation = batch.linearisation(i);
    solution.linearisation = &linearisation;
  }
  if (batch.options.posterior) {
    const size_t triangle = packedTriangle(basis.tangentCount);
    workspace.posterior.resize(triangle + basis.tangentCount);
    solution.information = workspace.posterior.data();
    solution.shift = solution.information + triangle;
  }
  if (batch.precise ||
      !kernels_.fit(*batch.model, basis, batch.options, batch.space, workspace.single, problem, solution)) {
    if (!workspace.twice) workspace.twice = std::make_unique<FitWorkspace<double>>(basis);
    fitReference(*batch.model, basis, batch.options, batch.space, *workspace.twice, problem, solution);
  }
  if (batch.options.posterior && solution.failure == FitFailure::kNone)
    whitenPosterior(*batch.model, batch.options.identityPrior, solution.information, solution.shift);
  batch.store(i, solution);
}

void CpuBackend::fit(std::shared_ptr<FitBatch> batch, std::shared_ptr<const Cancellation> cancellation,
                     Completion done) {
  Job job;
  job.taskCount = batch->count;
  job.run = [this, batch, cancellation](int i, int worker) {
    if (!cancellation->cancelled()) fitOne(*batch, i, worker);
  };
  job.done = std::move(done);
  pool_.submit(std::move(job));
}

void CpuBackend::decodeTask(DecodeBatch& batch, int task) {
  const DecodeBasis& basis = batch.basis();
  const DecodeGrid grid(batch);
  const int faceBegin = task / grid.panelTasks * grid.faceBlock;
  const int faceEnd = std::min(batch.count, faceBegin + grid.faceBlock);
  const int panelBegin = task % grid.panelTasks * grid.panelBlock;
  const int panelEnd = std::min(basis.panelCount, panelBegin + grid.panelBlock);
  DecodeFaces faces;
  faces.coefficients = batch.coefficients.data();
  faces.poses = batch.poses.empty() ? nullptr : batch.poses.data();
  faces.vertices = batch.vertices;
  auto scratch = AlignedBuffer<float>::uninitialised(static_cast<size_t>(basis.columnCount) * DecodeBasis::kRow);
  kernels_.decode(basis, faces, panelBegin, panelEnd, faceBegin, faceEnd, scratch.data());
  if (batch.normals.size() == 0) return;
  std::vector<float> faceNormals(batch.model->triangles().size());
  const size_t row = 3 * static_cast<size_t>(basis.pointCount);
  for (int face = faceBegin; face < faceEnd; ++face)
    vertexNormals(*batch.model, batch.vertices + row * face, faceNormals.data(), batch.normals.data() + row * face);
}

void CpuBackend::decode(std::shared_ptr<DecodeBatch> batch, std::shared_ptr<const Cancellation> cancellation,
                        Completion done) {
  Job job;
  job.taskCount = DecodeGrid(*batch).taskCount;
  job.run = [this, batch, cancellation](int task, int) {
    if (!cancellation->cancelled()) decodeTask(*batch, task);
  };
  job.done = std::move(done);
  pool_.submit(std::move(job));
}

void CpuBackend::decodeNow(DecodeBatch& batch) {
  const int tasks = DecodeGrid(batch).taskCount;
  for (int task = 0; task < tasks; ++task) decodeTask(batch, task);
}

}  // namespace sfm
