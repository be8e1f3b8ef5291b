import { svelte } from '@sveltejs/vite-plugin-svelte'
import type { Connect, Plugin } from 'vite'
import { defineConfig } from 'vitest/config'

// What is remembered of the theme is applied by the script, so nothing is to be
// drawn before it has run. Browsers that do not know the word ignore it.
const drawAfterScript: Plugin = {
  name: 'draw-after-script',
  transformIndexHtml: {
    order: 'post',
    handler: (html) => html.replace('<script type="module"', '<script type="module" blocking="render"'),
  },
}

// The dev server answers the API itself, from an invented world, unless
// CLUSY_URL names a real server to pass it on to.
const api = process.env.CLUSY_URL
const invented: Plugin = {
  name: 'invented-api',
  apply: 'serve',
  async configureServer(server) {
    if (api || process.env.VITEST) return
    const world = new URL('./dev/world.mjs', import.meta.url).href
    const { answer } = (await import(world)) as { answer: Connect.NextHandleFunction }
    server.middlewares.use(answer)
  },
}

export default defineConfig({
  plugins: [svelte(), drawAfterScript, invented],
  appType: 'spa',
  build: {
    outDir: '../internal/web/dist',
    emptyOutDir: true,
    target: 'es2022',
    // Those that know light-dark(), all of spring 2024 or older.
    cssTarget: ['chrome123', 'firefox120', 'safari17.5'],
    modulePreload: { polyfill: false },
    assetsInlineLimit: 0,
    reportCompressedSize: true,
    rolldownOptions: {
      output: {
        entryFileNames: 'assets/[name]-[hash].js',
        chunkFileNames: 'assets/[name]-[hash].js',
        assetFileNames: 'assets/[name]-[hash][extname]',
      },
    },
  },
  server: { host: '127.0.0.1', port: 5173, proxy: api ? { '/v1': { target: api, changeOrigin: true }, '/openapi.json': api } : undefined },
  test: { include: ['src/**/*.test.ts'] },
})
