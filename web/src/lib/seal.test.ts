import { expect, test } from 'vitest'
import { XWing } from '@hpke/hybridkem-x-wing'
import { fromBase64, newViewer, purposes, viewerOf } from './seal'
import vector from './testdata/sealed.json'

// The vector was sealed by internal/intent, that is by Go's crypto/hpke.
const pair = async () => {
  const kem = new XWing()
  const seed = fromBase64(vector.seed)
  const privateKey = await kem.deserializePrivateKey(seed.buffer as ArrayBuffer)
  const raw = fromBase64(vector.public.replace('clusy-enclave-1:', '').replaceAll('-', '+').replaceAll('_', '/'))
  return { privateKey, publicKey: await kem.deserializePublicKey(raw.buffer as ArrayBuffer) }
}
const read = (b: Uint8Array) => JSON.parse(new TextDecoder().decode(b)) as unknown

test('what Go sealed opens here', async () => {
  const me = await viewerOf(await pair())
  expect(me.text).toBe(vector.public)
  expect(read(await me.open(purposes.names, fromBase64(vector.names)))).toEqual({ names: { wl_1: 'train-model' } })
  expect(read(await me.open(purposes.logs, fromBase64(vector.logs)))).toMatchObject({ next: 12, data: btoa('step 1 of 2\n') })
})

test('another purpose, another key, a changed byte and a cut do not open', async () => {
  const me = await viewerOf(await pair())
  await expect(me.open(purposes.logs, fromBase64(vector.names))).rejects.toThrow('another purpose')
  await expect(me.open(purposes.logs, fromBase64(vector.forAnother))).rejects.toThrow('another key')
  for (const i of [0, 4, 6, 21, 22, 600, 1141, 1142, -1]) {
    const b = fromBase64(vector.logs)
    const at = i < 0 ? b.length + i : i
    b[at] = b[at]! ^ 1
    await expect(me.open(purposes.logs, b), `byte ${i}`).rejects.toThrow()
  }
  await expect(me.open(purposes.logs, fromBase64(vector.logs).slice(0, 900))).rejects.toThrow('fewer')
})

test('a new viewer has a key of its own, of the length that Go wants', async () => {
  const [a, b] = [await newViewer(), await newViewer()]
  expect(a.text).not.toBe(b.text)
  expect(fromBase64(a.text.slice(16).replaceAll('-', '+').replaceAll('_', '/')).length).toBe(1216)
})
