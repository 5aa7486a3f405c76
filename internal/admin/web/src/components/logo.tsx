import mark from '../favicon.svg';

/** The shop's mark, decoration beside its name. */
export function Logo({ size = 24 }: { size?: number }) {
  return <img src={mark} width={size} height={size} alt="" />;
}
