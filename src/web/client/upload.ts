import { formatSize } from './number-format.ts';

/** A piece is sent again whole where the connection breaks, so it is small beside the whole. */
const pieceBytes = 8 << 20;

interface Upload {
  readonly id: string;
  readonly name: string;
  readonly sizeBytes: number;
  readonly receivedBytes: number;
  readonly isComplete: boolean;
}

async function answer(response: Response): Promise<unknown> {
  const body: unknown = await response.json().catch(() => undefined);
  if (response.ok) return body;
  const error = (body as { readonly error?: { readonly message?: string } } | undefined)?.error;
  throw new Error(error?.message ?? `${response.status} ${response.statusText}`);
}

/** The same file where it stopped, or a new one. */
async function begin(url: string, csrf: string, file: File): Promise<Upload> {
  const listed = (await answer(await fetch(url))) as { readonly uploads?: readonly Upload[] } | readonly Upload[];
  const uploads = Array.isArray(listed) ? listed : ((listed as { readonly uploads?: readonly Upload[] }).uploads ?? []);
  const known = uploads.find(({ name, sizeBytes }: Upload) => name === file.name && sizeBytes === file.size);
  if (known !== undefined) return known;
  const headers = { 'content-type': 'application/json', 'x-csrf-token': csrf };
  const body = JSON.stringify({ name: file.name, sizeBytes: file.size });
  return (await answer(await fetch(url, { method: 'POST', headers, body }))) as Upload;
}

async function send(form: HTMLFormElement, file: File, tell: (doneBytes: number) => void): Promise<Upload> {
  const url = form.dataset['upload'] ?? '';
  const csrf = new FormData(form).get('csrf')?.toString() ?? '';
  let upload = await begin(url, csrf, file);
  while (!upload.isComplete) {
    const from = upload.receivedBytes;
    tell(from);
    const headers = {
      'content-type': 'application/octet-stream',
      'x-csrf-token': csrf,
      'upload-offset': String(from),
    };
    const body = file.slice(from, from + pieceBytes);
    upload = (await answer(
      await fetch(`${url}/${encodeURIComponent(upload.id)}`, { method: 'PATCH', headers, body }),
    )) as Upload;
  }
  return upload;
}

/** Takes the form that uploads in hand: in pieces, so that it goes on where it stopped. Without it the form sends the file as one. */
export function resumeUploads(root: ParentNode): void {
  for (const form of root.querySelectorAll('form[data-upload]:not([data-ready])')) {
    if (!(form instanceof HTMLFormElement)) continue;
    form.dataset['ready'] = '';
    form.addEventListener('submit', (event) => {
      const input = form.querySelector('input[type=file]');
      const file = input instanceof HTMLInputElement ? input.files?.[0] : undefined;
      if (file === undefined) return;
      event.preventDefault();
      void upload(form, file);
    });
  }
}

async function upload(form: HTMLFormElement, file: File): Promise<void> {
  const place = form.querySelector<HTMLElement>('.upload-progress');
  const bar = place?.querySelector('progress');
  const words = place?.querySelector('p');
  const button = form.querySelector('button');
  const { uploading = '', uploaded = '', failed = '', next = '' } = form.dataset;
  const say = (text: string) => {
    if (words) words.textContent = text;
  };
  if (place) place.hidden = false;
  if (button) button.disabled = true;
  try {
    const { id } = await send(form, file, (doneBytes) => {
      if (bar) bar.value = (doneBytes / Math.max(1, file.size)) * 100;
      say(uploading.replace('{done}', formatSize(doneBytes)).replace('{total}', formatSize(file.size)));
    });
    if (bar) bar.value = 100;
    say(uploaded);
    location.href = `${next}?upload=${encodeURIComponent(id)}`;
  } catch (error) {
    say(failed.replace('{reason}', () => (error instanceof Error ? error.message : String(error))));
    if (button) button.disabled = false;
  }
}
