// What only enclaves know (names, logs) comes sealed to a key of this tab: the
// server that carries it cannot read it. The key lives as long as the tab, and
// is in no storage. HPKE: X-Wing (ML-KEM-768 and X25519), HKDF-SHA256,
// AES-256-GCM; the envelope is that of internal/intent/seal.go.
import { Aes256Gcm, CipherSuite, HkdfSha256 } from '@hpke/core'
import { XWing } from '@hpke/hybridkem-x-wing'

export const purposes = { names: 'clusy.io/names/v1', logs: 'clusy.io/logs/v1' } as const

const magic = [0x43, 0x4c, 0x53, 0x59] // CLSY
const version = 1
const suiteID = 1
const idSize = 16
const headSize = magic.length + 2 + idSize
const encSize = 1120
const tagSize = 16

const suite = new CipherSuite({ kem: new XWing(), kdf: new HkdfSha256(), aead: new Aes256Gcm() })
const text = new TextEncoder()

export type Viewer = { text: string; id: Uint8Array; open: (purpose: string, sealed: Uint8Array) => Promise<Uint8Array> }

/** A new key, and what opens what is sealed to it. */
export async function newViewer(): Promise<Viewer> {
  return viewerOf(await suite.kem.generateKeyPair())
}

/** The viewer of a key pair. */
export async function viewerOf(pair: CryptoKeyPair): Promise<Viewer> {
  const raw = new Uint8Array(await suite.kem.serializePublicKey(pair.publicKey))
  const domain = text.encode('clusy.io/enclave-key/v1\n')
  const hashed = new Uint8Array(domain.length + raw.length)
  hashed.set(domain)
  hashed.set(raw, domain.length)
  const id = new Uint8Array(await crypto.subtle.digest('SHA-256', hashed)).slice(0, idSize)
  return { text: 'clusy-enclave-1:' + base64url(raw), id, open: (purpose, sealed) => open(pair.privateKey, id, purpose, sealed) }
}

async function open(key: CryptoKey, id: Uint8Array, purpose: string, sealed: Uint8Array): Promise<Uint8Array> {
  if (sealed.length < headSize + encSize + tagSize) throw new Error(`The sealed answer has ${sealed.length} bytes, fewer than an envelope has.`)
  if (magic.some((b, i) => sealed[i] !== b)) throw new Error('The answer is not a sealed envelope.')
  if (sealed[4] !== version || sealed[5] !== suiteID) throw new Error(`The answer is sealed in version ${sealed[4]}, suite ${sealed[5]}, which this console cannot open.`)
  if (id.some((b, i) => sealed[6 + i] !== b)) throw new Error('The answer is sealed to another key than this tab’s.')
  const head = sealed.slice(0, headSize)
  const enc = sealed.slice(headSize, headSize + encSize)
  try {
    const recipient = await suite.createRecipientContext({ recipientKey: key, enc: enc.buffer, info: text.encode(purpose).buffer })
    return new Uint8Array(await recipient.open(sealed.slice(headSize + encSize).buffer, head.buffer))
  } catch {
    throw new Error('The answer was changed on its way, or is for another purpose.')
  }
}

export function base64url(b: Uint8Array): string {
  return base64(b).replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '')
}

function base64(b: Uint8Array): string {
  let s = ''
  for (let i = 0; i < b.length; i += 8192) s += String.fromCharCode(...b.subarray(i, i + 8192))
  return btoa(s)
}

export function fromBase64(s: string): Uint8Array {
  const b = atob(s)
  const out = new Uint8Array(b.length)
  for (let i = 0; i < b.length; i++) out[i] = b.charCodeAt(i)
  return out
}
