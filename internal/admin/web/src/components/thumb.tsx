import { IconPhoto } from '@tabler/icons-react';
import { useState } from 'react';
import type { ImageRef } from '../api/types';
import classes from './thumb.module.css';

interface ThumbProps {
  /** The picture, its address alone, or nothing. */
  image: ImageRef | string | undefined;
  /** Edge in CSS pixels. */
  size?: number;
  /** Text for the picture; empty when the name stands beside it anyway. */
  alt?: string;
}

/** The widths the server makes pictures in. */
const widths = [160, 320, 480, 640, 800];

/** A square picture of a product, sharp on dense screens; an icon when there is none or it fails. */
export function Thumb({ image, size = 40, alt = '' }: ThumbProps) {
  const [state, setState] = useState<'loading' | 'shown' | 'failed'>('loading');
  const ref = typeof image === 'string' ? { url: image } : image;
  if (!ref || state === 'failed') {
    return (
      <span className={classes.none} style={{ width: size, height: size }}>
        <IconPhoto size={size * 0.45} stroke={1.4} aria-hidden />
      </span>
    );
  }
  const width = (density: number) => widths.find((w) => w >= size * density) ?? 800;
  return (
    <img
      className={classes.picture}
      src={`${ref.url}?w=${width(1)}&f=auto`}
      srcSet={`${ref.url}?w=${width(1)}&f=auto 1x, ${ref.url}?w=${width(2)}&f=auto 2x`}
      width={size}
      height={size}
      alt={alt}
      loading="lazy"
      // Gone once the picture covers it: it would shine through at the rounded corners.
      style={{ backgroundColor: state === 'loading' ? ref.colour : undefined }}
      onLoad={() => {
        setState('shown');
      }}
      onError={() => {
        setState('failed');
      }}
    />
  );
}
