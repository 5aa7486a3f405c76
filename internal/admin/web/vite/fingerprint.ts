import { createHash } from 'node:crypto';
import { readFileSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { join, relative, resolve } from 'node:path';
import type { Plugin, ResolvedConfig } from 'vite';

/** What decides the build: a change in any of these makes the committed one stale. admin_test.go lists the same. */
const sources = [
  'index.html',
  'package-lock.json',
  'package.json',
  'postcss.config.cjs',
  'public',
  'src',
  'vite.config.ts',
];

/** Writes down which sources the build was made from (../dist.sha256), so that a Go test can tell a stale one. */
export function fingerprint(): Plugin {
  let config: ResolvedConfig;
  return {
    name: 'fingerprint',
    apply: 'build',
    configResolved: (resolved) => {
      config = resolved;
    },
    closeBundle: () => {
      writeFileSync(resolve(config.root, '../dist.sha256'), `${sumOf(config.root)}\n`);
    },
  };
}

function sumOf(root: string): string {
  const files = sources.flatMap((name) => {
    const path = join(root, name);
    return statSync(path).isDirectory() ? walk(path) : [path];
  });
  const lines = files
    .map((file) => `${relative(root, file).replaceAll('\\', '/')} ${sha256(readFileSync(file))}\n`)
    .sort((a, b) => (a < b ? -1 : 1));
  return sha256(lines.join(''));
}

const sha256 = (data: string | Buffer) => createHash('sha256').update(data).digest('hex');

function walk(folder: string): string[] {
  return readdirSync(folder, { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name));
}
