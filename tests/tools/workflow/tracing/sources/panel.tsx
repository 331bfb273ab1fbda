import React, { useState } from "react";

type Props = { label: string };

export const Button = ({ label }: Props) => <button onClick={handle}>{text(label)}</button>;

function handle() {
  reset<number>(0);
}

export default function Panel() {
  const [open, setOpen] = useState(false);
  return <Button label={`${open}`} />;
}
