/** Builds the kernel and `dist/`. `--kernel` builds the kernel alone. */
import { execFileSync } from 'node:child_process';
import { cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const require = createRequire(import.meta.url);

function run(packageName: string, script: string, args: string[]): void {
  const entry = join(dirname(require.resolve(`${packageName}/package.json`)), script);
  execFileSync(process.execPath, [entry, ...args], { cwd: root, stdio: 'inherit' });
}

function buildKernel(): void {
  mkdirSync(join(root, 'build'), { recursive: true });
  const wasm = 'build/kernel.wasm';
  const features = ['--enable', 'simd', '--enable', 'relaxed-simd', '--runtime', 'stub', '--importMemory', '-O3'];
  run('assemblyscript', 'bin/asc.js', ['kernel/kernel.ts', ...features, '--noAssert', '-o', wasm]);
  const base64 = readFileSync(join(root, wasm)).toString('base64');
  const text = `// Made by scripts/build.ts from kernel/kernel.ts.\nexport const kernelBinaryBase64 =\n  '${base64}';\n`;
  writeFileSync(join(root, 'src/archive/heal/kernel-binary.ts'), text);
}

buildKernel();
if (!process.argv.includes('--kernel')) {
  rmSync(join(root, 'dist'), { recursive: true, force: true });
  run('typescript', 'bin/tsc', ['-p', 'tsconfig.build.json']);
  run('typescript', 'bin/tsc', ['-p', 'src/web/client/tsconfig.build.json']);
  cpSync(join(root, 'src/web/style'), join(root, 'dist/web/style'), { recursive: true });
}
