import {
  BufferAttribute,
  BufferGeometry,
  type Camera,
  Color,
  DirectionalLight,
  DoubleSide,
  Group,
  HemisphereLight,
  Mesh,
  MeshLambertMaterial,
  MeshStandardMaterial,
  PerspectiveCamera,
  Scene,
  Spherical,
  SRGBColorSpace,
  Texture,
  Vector3,
  WebGLRenderer,
} from 'three'
import { OrbitControls } from 'three/examples/jsm/controls/OrbitControls.js'
import type { Morph } from '../lib/outputs/Mesh.js'
import { vertexNormals } from '../lib/outputs/normals.js'
import { eyes } from '../lib/render/eyes.js'
import { mouth } from '../lib/render/mouth.js'
import type { ColouredSurface } from '../lib/render/openings.js'
import type { ViewerPhoto } from '../lib/viewer/ViewerData.js'
import { photoCamera } from './photoCamera.js'
import type { Page } from './readPage.js'

/** A face to be shown. */
export interface Shown {
  /** [N,3] mm, with its expression. */
  shape: Float32Array
  /** [N,3] mm, without. */
  neutral: Float32Array
  morphs: readonly Morph[]
}

/** Degrees; from far enough for the nose not to look large. */
const FIELD_OF_VIEW = 20

/** As in the pictures of lib/render/shading.ts: from the upper left, from the right, from behind. */
const LIGHTS: ReadonlyArray<readonly [x: number, y: number, z: number, colour: number, intensity: number]> = [
  [-0.5, 0.62, 0.75, 0xfff6ee, 2.5],
  [0.85, 0.1, 0.5, 0xe6efff, 0.65],
  [0.55, 0.45, -0.75, 0xe6f0ff, 0.9],
]

/** Draws the face. Only when something has changed: an open page at rest costs nothing. */
export class Stage {
  readonly #canvas: HTMLCanvasElement
  readonly #renderer: WebGLRenderer
  readonly #scene = new Scene()
  readonly #camera = new PerspectiveCamera(FIELD_OF_VIEW, 1, 50, 20_000)
  readonly #controls: OrbitControls
  /** What turns with the camera. */
  readonly #rig = new Group()
  readonly #page: Page
  readonly #triangles: Int32Array
  readonly #skin: Mesh<BufferGeometry, MeshStandardMaterial>
  readonly #plain: MeshStandardMaterial
  readonly #behind = new Group()
  readonly #eyes = new Group()
  readonly #mouth = new Group()
  readonly #centre = new Vector3()
  #radius = 1
  #photo: ViewerPhoto | undefined
  #requested = false
  /** Whether there is something to be seen: drawing before would compile shaders that nobody needs. */
  #isReady = false

  /** @throws Error where the browser has no WebGL. */
  constructor(canvas: HTMLCanvasElement, page: Page, reducedMotion: boolean) {
    const context = canvas.getContext('webgl2', { alpha: true, antialias: true, powerPreference: 'low-power' })
    if (!context) throw new Error('This browser does not offer WebGL 2, which the page draws with.')
    this.#canvas = canvas
    this.#page = page
    this.#triangles = Int32Array.from(page.triangles)
    this.#renderer = new WebGLRenderer({ canvas, context, alpha: true, antialias: true })
    this.#renderer.setClearAlpha(0)
    this.#plain = new MeshStandardMaterial({ vertexColors: true, roughness: 0.58, metalness: 0 })
    this.#skin = new Mesh(this.#geometry(), this.#plain)
    this.#behind.add(this.#eyes, this.#mouth)
    this.#scene.add(this.#skin, this.#behind, this.#rig)
    this.#rig.matrixAutoUpdate = false
    this.#rig.add(new HemisphereLight(0xf2f6ff, 0x6b5a50, 0.85))
    for (const [x, y, z, colour, intensity] of LIGHTS) {
      const light = new DirectionalLight(colour, intensity)
      light.position.set(x, y, z)
      this.#rig.add(light, light.target)
    }
    this.#controls = new OrbitControls(this.#camera, canvas)
    this.#controls.enableDamping = !reducedMotion
    this.#controls.addEventListener('change', () => this.request())
    new ResizeObserver(() => this.#resize()).observe(canvas)
  }

  /** Shows a face. */
  show({ shape, neutral, morphs }: Shown): void {
    const { attributes } = this.#skin.geometry
    ;(attributes.position!.array as Float32Array).set(shape)
    ;(attributes.normal!.array as Float32Array).set(vertexNormals(shape, this.#triangles))
    attributes.position!.needsUpdate = true
    attributes.normal!.needsUpdate = true
    const { openings } = this.#page
    if (openings) {
      const face = { vertices: neutral, openings, morphs }
      this.#fill(this.#eyes, eyes(face))
      this.#fill(this.#mouth, mouth(face, shape))
    }
    this.request()
  }

  /** Looks at the whole head, turned by degrees; from where it is looked at now, without. */
  frame(yaw?: number): void {
    this.#isReady = true
    const positions = this.#skin.geometry.attributes.position as BufferAttribute
    this.#skin.geometry.boundingBox = null
    this.#skin.geometry.computeBoundingBox()
    this.#skin.geometry.boundingBox!.getCenter(this.#centre)
    const point = new Vector3()
    let radius = 1
    for (let v = 0; v < positions.count; v++)
      radius = Math.max(radius, point.fromBufferAttribute(positions, v).distanceTo(this.#centre))
    this.#radius = radius
    const half = (FIELD_OF_VIEW / 2) * (Math.PI / 180)
    const tightest = Math.atan(Math.tan(half) * Math.min(1, this.#camera.aspect))
    const distance = (1.04 * radius) / Math.sin(tightest)
    const { position } = this.#camera
    if (yaw === undefined) position.sub(this.#controls.target).normalize()
    else position.set(Math.sin((yaw * Math.PI) / 180), 0, Math.cos((yaw * Math.PI) / 180))
    position.multiplyScalar(distance).add(this.#centre)
    this.#controls.target.copy(this.#centre)
    this.#controls.minDistance = radius * 1.1
    this.#controls.maxDistance = radius * 30
    this.#controls.update()
    this.request()
  }

  /** Turns the view by degrees and comes nearer by a factor. */
  move(right: number, up: number, nearer: number): void {
    const offset = new Spherical().setFromVector3(this.#camera.position.clone().sub(this.#controls.target))
    offset.theta += (right * Math.PI) / 180
    offset.phi = Math.min(Math.PI - 0.05, Math.max(0.05, offset.phi - (up * Math.PI) / 180))
    offset.radius = Math.min(this.#radius * 30, Math.max(this.#radius * 1.1, offset.radius / nearer))
    this.#camera.position.setFromSpherical(offset).add(this.#controls.target)
    this.#controls.update()
    this.request()
  }

  /** The colours of a picture instead of the model's. */
  setTexture(image: HTMLImageElement | undefined): void {
    const old = this.#skin.material
    this.#skin.material = this.#plain
    if (image) {
      const map = new Texture(image)
      map.colorSpace = SRGBColorSpace
      map.anisotropy = Math.min(8, this.#renderer.capabilities.getMaxAnisotropy())
      map.needsUpdate = true
      // A photo has its own light: ours is but a hint.
      const light = { color: new Color(0.62, 0.62, 0.62), emissive: new Color(0.4, 0.4, 0.4) }
      this.#skin.material = new MeshStandardMaterial({ map, emissiveMap: map, ...light, roughness: 0.85, metalness: 0 })
    }
    this.#skin.material.wireframe = old.wireframe
    if (old !== this.#plain) {
      old.map?.dispose()
      old.dispose()
    }
    this.request()
  }

  setWireframe(wireframe: boolean): void {
    this.#skin.material.wireframe = wireframe
    this.#plain.wireframe = wireframe
    this.#showBehind()
    this.request()
  }

  /** Looks through the camera of a photo, so that the face lies over it; without one, freely. */
  setPhoto(photo: ViewerPhoto | undefined): void {
    this.#photo = photo
    this.#controls.enabled = photo === undefined
    this.#showBehind()
    this.request()
  }

  /** Draws soon, once for however many changes. */
  request(): void {
    if (this.#requested) return
    this.#requested = true
    requestAnimationFrame(() => {
      this.#requested = false
      // While the view still glides this asks for another one.
      if (this.#controls.enabled) this.#controls.update()
      this.#draw()
    })
  }

  #draw(): void {
    const { clientWidth: width, clientHeight: height } = this.#canvas
    if (!this.#isReady || width === 0 || height === 0) return
    const camera: Camera = this.#photo ? photoCamera(this.#photo, width, height) : this.#camera
    camera.updateMatrixWorld(true)
    this.#rig.matrix.copy(camera.matrixWorld)
    this.#renderer.render(this.#scene, camera)
  }

  #resize(): void {
    const { clientWidth: width, clientHeight: height } = this.#canvas
    if (width === 0 || height === 0) return
    this.#renderer.setPixelRatio(Math.min(2, devicePixelRatio))
    this.#renderer.setSize(width, height, false)
    this.#camera.aspect = width / height
    this.#camera.updateProjectionMatrix()
    // At once: a canvas that has been resized is empty.
    this.#draw()
  }

  #geometry(): BufferGeometry {
    const { triangles, uv, colours } = this.#page
    const geometry = new BufferGeometry()
    geometry.setIndex(new BufferAttribute(triangles, 1))
    geometry.setAttribute('position', new BufferAttribute(new Float32Array(colours.length), 3))
    geometry.setAttribute('normal', new BufferAttribute(new Float32Array(colours.length), 3))
    geometry.setAttribute('color', linear(colours))
    if (uv) geometry.setAttribute('uv', new BufferAttribute(uv, 2))
    return geometry
  }

  /** A photo shows its own eyes and teeth, and a net is there to be looked through. */
  #showBehind(): void {
    this.#behind.visible = this.#photo === undefined && !this.#plain.wireframe
  }

  /** Puts surfaces behind the openings. */
  #fill(group: Group, surfaces: readonly ColouredSurface[]): void {
    surfaces.forEach(({ vertices, triangles, colours }, i) => {
      let part = group.children[i] as Mesh<BufferGeometry> | undefined
      if (!part) {
        // A throat that shone would not look deep.
        const material =
          group === this.#eyes
            ? new MeshStandardMaterial({ vertexColors: true, roughness: 0.4, metalness: 0, side: DoubleSide })
            : new MeshLambertMaterial({ vertexColors: true, side: DoubleSide })
        part = new Mesh(new BufferGeometry(), material)
        part.frustumCulled = false
        part.geometry.setIndex(new BufferAttribute(Uint32Array.from(triangles), 1))
        part.geometry.setAttribute('color', new BufferAttribute(colours, 3))
        group.add(part)
      }
      part.geometry.setAttribute('position', new BufferAttribute(vertices, 3))
      part.geometry.setAttribute('normal', new BufferAttribute(vertexNormals(vertices, triangles), 3))
    })
  }
}

/** sRGB bytes as the linear colours that vertices have. */
function linear(bytes: Uint8Array): BufferAttribute {
  const colour = new Color()
  const values = new Float32Array(bytes.length)
  for (let i = 0; i < bytes.length; i += 3) {
    colour.setRGB(bytes[i]! / 255, bytes[i + 1]! / 255, bytes[i + 2]! / 255, SRGBColorSpace)
    values.set([colour.r, colour.g, colour.b], i)
  }
  return new BufferAttribute(values, 3)
}
