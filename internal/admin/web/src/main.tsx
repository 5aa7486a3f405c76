import '@mantine/core/styles.css';
import '@mantine/notifications/styles.css';
import './styles.css';
import { setNonce } from 'get-nonce';
import { StrictMode } from 'react';
import { createRoot } from 'react-dom/client';
import { App, styleNonce } from './app';
import { router } from './routes';

// The part of the dialogs that locks scrolling writes a style element of its own and takes the nonce from here.
setNonce(styleNonce());

const root = document.getElementById('root');
if (!root) throw new Error('index.html has no element #root');
createRoot(root).render(
  <StrictMode>
    <App router={router()} />
  </StrictMode>,
);
