// The table of cases that every fit is held to, on whatever it runs.
#pragma once

#include <vector>

#include "test/Scene.h"

namespace sfm::test {

struct Condition {
  const char* name;
  int landmarks = 68;
  int tangent = 100, expressions = 53;
  View view;
  bool estimateFocal = false, bounded = false, robust = true, confidences = false, missing = false, outliers = false;
  bool slack = false, gaussian = false, correlated = false;
  int withinIdentity = 0, correlatedNoise = 0;
  int faces = 6;
};

// The table that every kernel is held to.
inline std::vector<Condition> fitConditions() {
  std::vector<Condition> list;
  const auto add = [&](const char* name, auto change) {
    Condition c;
    c.name = name;
    c.view.noise = 2;
    change(c);
    list.push_back(c);
  };
  add("68 landmarks, focal given", [](Condition& c) { c.faces = 10; });
  add("68 landmarks, focal estimated", [](Condition& c) {
    c.estimateFocal = true;
    c.faces = 10;
  });
  add("68 landmarks, squared loss", [](Condition& c) { c.robust = false; });
  add("68 landmarks, bounded", [](Condition& c) { c.bounded = true; });
  add("68 landmarks, bounded, focal estimated", [](Condition& c) { c.bounded = c.estimateFocal = true; });
  add("68 landmarks, weak perspective", [](Condition& c) { c.view.weak = true; });
  add("30 landmarks", [](Condition& c) { c.landmarks = 30; });
  add("30 landmarks, focal estimated, bounded", [](Condition& c) {
    c.landmarks = 30;
    c.estimateFocal = c.bounded = true;
  });
  add("478 landmarks", [](Condition& c) {
    c.landmarks = 478;
    c.faces = 4;
  });
  add("478 landmarks, focal estimated, squared", [](Condition& c) {
    c.landmarks = 478;
    c.faces = 4;
    c.estimateFocal = true;
    c.robust = false;
  });
  add("68 points of a scan", [](Condition& c) {
    c.view.scan = true;
    c.view.noise = 1;
  });
  add("478 points of a scan, bounded", [](Condition& c) {
    c.view.scan = c.bounded = true;
    c.view.noise = 0.5;
    c.landmarks = 478;
    c.faces = 4;
  });
  add("confidences", [](Condition& c) { c.confidences = true; });
  add("missing points", [](Condition& c) { c.missing = true; });
  add("outliers", [](Condition& c) { c.outliers = true; });
  add("outliers, missing points, confidences, bounded, focal estimated",
      [](Condition& c) { c.outliers = c.missing = c.confidences = c.bounded = c.estimateFocal = true; });
  add("yaw 75", [](Condition& c) { c.view.yaw = 75; });
  add("yaw -60, roll 120, focal estimated", [](Condition& c) {
    c.view.yaw = -60;
    c.view.roll = 120;
    c.estimateFocal = true;
  });
  // Beyond what single precision can tell apart.
  add("68 landmarks known to a hundredth of a pixel", [](Condition& c) { c.view.noise = 0.01; });
  add("model with slack", [](Condition& c) { c.slack = true; });
  add("gaussian model", [](Condition& c) { c.gaussian = true; });
  add("general prior", [](Condition& c) { c.correlated = true; });
  add("11 identities, 5 expressions, bounded", [](Condition& c) {
    c.tangent = 11;
    c.expressions = 5;
    c.bounded = true;
    c.faces = 20;
  });
  add("no expressions", [](Condition& c) {
    c.tangent = 40;
    c.expressions = 0;
  });
  add("variation within identities", [](Condition& c) { c.withinIdentity = 60; });
  add("correlated noise, bounded, focal estimated", [](Condition& c) {
    c.correlatedNoise = 12;
    c.bounded = c.estimateFocal = true;
  });
  add("478 landmarks, all nuisances, outliers, bounded, weak", [](Condition& c) {
    c.landmarks = 478;
    c.withinIdentity = 20;
    c.correlatedNoise = 19;
    c.outliers = c.bounded = c.view.weak = true;
    c.faces = 4;
  });
  add("scan, all nuisances, general prior, no expressions", [](Condition& c) {
    c.view.scan = c.correlated = true;
    c.withinIdentity = 7;
    c.correlatedNoise = 1;
    c.expressions = 0;
  });
  return list;
}

inline SyntheticModelOptions modelOf(const Condition& c) {
  SyntheticModelOptions options;
  options.tangent = c.tangent;
  options.expressions = c.expressions;
  options.slack = c.slack;
  options.spherical = !c.gaussian;
  options.correlated = c.correlated;
  options.expressionMean = c.correlated ? 0.2f : 0;
  options.withinIdentity = c.withinIdentity;
  options.correlatedNoise = c.correlatedNoise;
  return options;
}

inline FitOptions optionsOf(const Condition& c) {
  FitOptions options;
  options.boundExpression = c.bounded;
  options.loss = c.robust ? RobustLoss::kStudentT : RobustLoss::kSquared;
  options.weakPerspective = c.view.weak;
  return options;
}

inline Observation observationOf(const Condition& c, Scene& scene, Face* truth = nullptr) {
  View view = c.view;
  view.yaw += scene.random.uniform(-20, 20);
  view.pitch += scene.random.uniform(-15, 15);
  view.roll += scene.random.uniform(-15, 15);
  const Face face = scene.draw(view);
  if (truth) *truth = face;
  Observation o = scene.observation(face, view);
  const size_t d = view.scan ? 3 : 2;
  if (c.estimateFocal) o.problem.focal = kUnknown;
  if (c.confidences)
    for (int i = 0; i < c.landmarks; ++i) o.confidence.push_back(static_cast<float>(scene.random.uniform(0.1, 1)));
  if (c.missing)
    for (size_t i = 0; i < static_cast<size_t>(c.landmarks); i += 5) o.points[d * i] = kUnknown;
  if (c.outliers)
    for (size_t i = 2; i < static_cast<size_t>(c.landmarks); i += 14) o.points[d * i] += 60 * scene.random.normal();
  return o;
}

}  // namespace sfm::test
