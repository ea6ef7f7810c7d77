// The acceptance bars: what is measured, and what it has to be.

/** [{ name, value, least | most }] of the figures of one seed; a small one is not asked for rates of pictures. */
export function barsOf({ slack, representation, dense, photos, stage2 }, small = false) {
  const { sphere, pca } = dense
  const [image, imagePca] = [photos.sphere, photos.pca]
  return [
    { name: 'zero-slack sphere against PCA_(K-1), relative difference', value: slack, most: 1e-4 },
    ...Object.entries(representation).map(([count, value]) => ({
      name: `representation / PCA, K = ${count}`,
      value,
      most: 1.05,
    })),
    { name: 'scans: within/between ratio / PCA', value: sphere.ratio / pca.ratio, most: 0.6 },
    { name: 'scans: silhouette', value: sphere.silhouette, least: 0.88 },
    { name: 'scans: silhouette - PCA', value: sphere.silhouette - pca.silhouette, least: 0.12 },
    { name: 'scans: neutral error / PCA', value: sphere.neutralError / pca.neutralError, most: 0.97 },
    { name: 'one image: error / PCA', value: image.error / imagePca.error, most: 1 },
    { name: 'five images: error / PCA', value: image.errorOfFive / imagePca.errorOfFive, most: 1.01 },
    ...(small ? [] : ratesOf(image, imagePca)),
    ...(stage2 ? stage2Bars(stage2) : []),
  ]
}

function ratesOf(image, imagePca) {
  return [
    { name: 'images: AUC - PCA', value: image.cosine.auc - imagePca.cosine.auc, least: 0.001 },
    { name: 'images: TAR@FAR 1e-2 - PCA', value: image.cosine.tar - imagePca.cosine.tar, least: 0.01 },
    {
      name: 'images: TAR by likelihood ratio - by cosine',
      value: image.likelihoodRatio.tar - image.likelihoodRatio.cosineTar,
      least: 0.03,
    },
  ]
}

function stage2Bars({ model, pca }) {
  return [
    { name: 'stage 2: TAR@FAR 1e-2 - PCA', value: model.tar - pca.tar, least: 0.04 },
    { name: 'stage 2: EER / PCA', value: model.eer / pca.eer, most: 0.92 },
    { name: 'stage 2: representation / PCA', value: model.representation / pca.representation, most: 1.05 },
  ]
}

export const passes = ({ value, least = Number.NEGATIVE_INFINITY, most = Number.POSITIVE_INFINITY }) =>
  value >= least && value <= most
