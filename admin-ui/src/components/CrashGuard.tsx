import { Alert, Button, Stack, Text } from '@mantine/core';
import { Component, type ReactNode } from 'react';

interface Props {
  title: string;
  text: string;
  action: string;
  /** another value gives the page another chance */
  at?: string;
  children: ReactNode;
}

interface State {
  broken: boolean;
  at: string | undefined;
}

/** An error in one page leaves the rest of the portal standing. */
export class CrashGuard extends Component<Props, State> {
  override state: State = { broken: false, at: this.props.at };

  static getDerivedStateFromError(): Partial<State> {
    return { broken: true };
  }

  static getDerivedStateFromProps(props: Props, state: State): State | null {
    return props.at === state.at ? null : { broken: false, at: props.at };
  }

  override render() {
    if (!this.state.broken) return this.props.children;
    return (
      <Alert role="alert" color="red" title={this.props.title} m="md">
        <Stack gap="sm" align="flex-start">
          <Text size="sm">{this.props.text}</Text>
          <Button variant="default" onClick={() => window.location.reload()}>
            {this.props.action}
          </Button>
        </Stack>
      </Alert>
    );
  }
}
